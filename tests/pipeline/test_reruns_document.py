"""docs/reruns.md, executed: every command of its blocks works on a finished production."""

import re
import shlex

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import SOURCE, Project

TEXT = (SOURCE / "docs/reruns.md").read_text()
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S) for line in block.splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_cheap_project(tmp_path_factory.mktemp("reruns") / "project")
    project.sparkle("run", second_of_sound(project.root / "voice.wav"))
    return project


@pytest.mark.requirement("S8", "S62", "X13")
def test_commands_of_the_document_work(project: Project) -> None:
    assert len(COMMANDS) == 9
    (key,) = [key.removeprefix("upload/") for key in project.store.keys("upload/")]
    for command in COMMANDS:
        done = project.command(*shlex.split(command.replace("PRODUCTION", key))[1:])
        assert done.returncode == 0, command + done.stdout + done.stderr
        assert done.stdout.strip()
