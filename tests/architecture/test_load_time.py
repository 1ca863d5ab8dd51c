"""Loading the definitions is light: nothing heavy is imported before a provider runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.project_files import PROJECT

HEAVY = {"torch", "cv2", "librosa", "av", "google", "pocketsphinx", "ray", "PIL", "numba", "scipy", "pysubs2"}

CODE = "import json, sys; import {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"


def loaded_by(module: str, home: Path) -> set[str]:
    """Top-level modules that are loaded after ``import module``, in a new process in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        cwd=PROJECT,
        env={"SPARKLE_HOME": str(home), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"import {module} failed:\n{done.stderr[-3000:]}"
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.requirement("S9", "U9")
def test_the_definitions_load_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by("sparkle_dagster.definitions", tmp_path)
    assert loaded & HEAVY == set()
    assert "dagster" in loaded


@pytest.mark.parametrize(
    "module", ["sparkle_dagster.workflow", "sparkle_dagster.registry", "sparkle_dagster.artifacts", "contracts.schemas"]
)
def test_what_works_without_dagster_does_not_load_it(module: str, tmp_path: Path) -> None:
    assert loaded_by(module, tmp_path) & (HEAVY | {"dagster"}) == set()


def test_a_heavy_import_would_be_seen(tmp_path: Path) -> None:
    assert "PIL" in loaded_by("PIL.Image", tmp_path)
