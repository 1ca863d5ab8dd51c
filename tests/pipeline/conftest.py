"""One real production, made once by the command line; tests look at it or rerun parts of it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import Project, make_project


@dataclass(frozen=True)
class Made:
    project: Project
    key: str
    run_id: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The short voice and the presenter, with a transcript, through every node."""
    project = make_project(tmp_path_factory.mktemp("made") / "project")
    samples = project.root / "samples"
    answer = project.sparkle(
        "run", samples / "voice_short.wav", "--transcript", samples / "voice_short.txt", "--profile", "draft"
    )
    assert answer["success"], answer
    return Made(project, answer["production"], answer["run_id"])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Fresh: nothing was ever run in it."""
    return make_project(tmp_path / "project")
