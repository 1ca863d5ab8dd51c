"""Who may import whom: import-linter's contracts hold, and are seen to break; the rest is read from the sources."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.project_files import PACKAGES, PROJECT, Module, modules

MAY_IMPORT_DAGSTER = ("definitions", "defs", "observability", "cli")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    environment = {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.requirement("S6", "S20")
def test_the_import_rules_hold() -> None:
    done = lint_imports(PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED = {
    "providers and sparkle_dagster meet only in contracts": (
        "providers/lipsync/x.py",
        "import sparkle_dagster.settings",
    ),
    "contracts import the standard library and pydantic only": ("contracts/x.py", "import numpy"),
    "providers do not import dagster": ("providers/qa/x.py", "import dagster"),
    "capabilities never import each other": ("providers/video/x.py", "import providers.qa.x"),
    "dagster stays at the edge": ("sparkle_dagster/execution/x.py", "import sparkle_dagster.execution.y"),
    "the orchestration never opens media": ("sparkle_dagster/observability/x.py", "import cv2"),
}
"""Name of a contract -> a module that breaks it."""


@pytest.mark.requirement("S6")
def test_each_import_rule_is_seen_to_break(tmp_path: Path) -> None:
    for name in ("pyproject.toml", *PACKAGES):
        source = PROJECT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    for file, line in PLANTED.values():
        (tmp_path / file).write_text(line + "\n")
    (tmp_path / "sparkle_dagster/execution/y.py").write_text("def later():\n    import dagster\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = {line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.endswith(" BROKEN")}
    assert {name for name in PLANTED if not any(line.startswith(name) for line in broken)} == set()


def imported(module: Module) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of(package: str, names: Iterator[str]) -> bool:
    return any(name.split(".")[0] == package for name in names)


@pytest.mark.requirement("S20")
def test_contracts_import_only_the_standard_library_and_pydantic() -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "contracts"}
    found = {(module.path, name) for module in modules("contracts") for name in imported(module)}
    assert {(path, name) for path, name in found if name.split(".")[0] not in allowed} == set()
    assert len(found) > 50


def test_only_the_edge_imports_dagster() -> None:
    """Also modules that import-linter's list does not name yet."""
    inside = {module.name.split(".")[1] for module in modules("sparkle_dagster") if of("dagster", imported(module))}
    assert inside <= set(MAY_IMPORT_DAGSTER)
    assert {"definitions", "defs"} <= inside


def test_no_module_postpones_its_annotations() -> None:
    """Dagster reads them at run time."""
    found = [m.path for m in modules(*PACKAGES, "tests", "benchmarks") if "__future__.annotations" in imported(m)]
    assert found == []


def test_a_module_is_named_by_what_it_does() -> None:
    found = [m.path for m in modules(*PACKAGES, "tests", "benchmarks") if Path(m.path).stem in FORBIDDEN_NAMES]
    assert found == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{module.path}:{node.lineno}"
        for module in modules(*PACKAGES, "tests", "benchmarks")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


@pytest.mark.requirement("U8")
@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_comes_from_this_project(package: str, tmp_path: Path) -> None:
    """``contracts`` is also another project's import name."""
    code = f"import {package}; print({package}.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert Path(done.stdout.strip()) == PROJECT / package / "__init__.py"
