"""System tests need programs: what is missing is named with the command, and a system test never skips."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import system_packages
from tests.project import SOURCE
from tests.system_packages import PACKAGES, command, main, missing, program


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the programs, and no right to install them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(system_packages, "OFF_THE_PATH", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("bare_machine")
def test_missing_programs_are_named_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match=r"strace is needed: apt-get install .* strace"):
        program("strace")
    assert main() == 1
    assert command(list(PACKAGES.values())) in capsys.readouterr().err


def test_program_that_is_here_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PACKAGES:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(system_packages, "OFF_THE_PATH", (f"{tmp_path}",))
    assert program("postgres") == tmp_path / "postgres"
    assert missing() == []


def test_system_test_that_skips_has_failed(tmp_path: Path) -> None:
    """In a run of its own, with the hook of this project's conftest."""
    (tmp_path / "conftest.py").write_text((SOURCE / "tests/conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = system\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.system\ndef test_a():\n    pytest.skip('no reason')\n\n"
        "@pytest.mark.system\n@pytest.mark.skipif(True, reason='none')\ndef test_b(): ...\n\n"
        "def test_c():\n    pytest.skip('fine')\n"
    )
    run = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(run, cwd=SOURCE, capture_output=True, text=True, check=False)
    assert "1 failed, 1 skipped, 1 error" in done.stdout, done.stdout
