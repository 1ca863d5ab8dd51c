"""Documents that tell people what to type, executed: every command of their blocks works, in order."""

import re
import shlex

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import SOURCE, Project

DOCUMENTS = {"workflow": 2, "policy": 5, "shadow": 4, "reruns": 14}
"""File below docs/ -> how many commands stand in it; in this order."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With a policy, a candidate in shadow, a finished production, and the files that the documents name."""
    project = make_cheap_project(tmp_path_factory.mktemp("how-to") / "project")
    pipeline = project.root / "configs/pipeline"
    workflow = (pipeline / "workflow.yaml").read_text()
    (project.root / "other.yaml").write_text(workflow.replace("name: talking-video", "name: other-way"))
    (pipeline / "workflow.yaml").write_text((pipeline / "with-policy.yaml").read_text())
    registry = project.root / "configs/tool_registry.yaml"
    registry.write_text(registry.read_text().replace("[mouth]}", "[mouth], shadow: [othermouth]}"))
    second_of_sound(project.root / "hello.wav", 1)
    project.sparkle("run", second_of_sound(project.root / "voice.wav"))
    return project


@pytest.mark.requirement("S8", "S53", "S57", "S60", "S62", "X9", "X13")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_of_the_document_work(project: Project, name: str) -> None:
    text = (SOURCE / f"docs/{name}.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == DOCUMENTS[name]
    (key,) = [key.removeprefix("upload/") for key in project.store.keys("upload/voice")]
    for command in commands:
        done = project.command(*shlex.split(command.replace("PRODUCTION", key))[1:])
        assert done.returncode == 0, command + done.stdout + done.stderr
        assert done.stdout.strip()
