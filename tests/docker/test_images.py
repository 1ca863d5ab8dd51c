"""The images without an engine: what their recipes say is there, is fixed, and is the same in both."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points

import pytest

from sparkle_dagster.settings import SELECTORS
from tests.architecture.project_files import tracked_files
from tests.docker.recipes import (
    IMAGES,
    PROJECT,
    copies_from_context,
    environment_of,
    is_sent_to_build,
    last_stage,
    read_dockerfile,
)

PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*")
each_image = pytest.mark.parametrize("file", IMAGES)


@each_image
def test_every_base_is_pinned_or_a_stage_of_its_own(file: str) -> None:
    stages: set[str] = set()
    for instruction in read_dockerfile(file):
        if instruction.keyword == "FROM":
            base, _, stage = instruction.words
            assert base in stages or PINNED.fullmatch(base), base
            stages.add(stage)
    assert stages == {"base", "build", "sparkle"}


@each_image
def test_it_runs_as_a_user_without_rights(file: str) -> None:
    instructions = last_stage(read_dockerfile(file))
    (user,) = (item for item in instructions if item.keyword == "USER")
    (made,) = (item.text for item in instructions if "useradd" in item.text)
    assert int(user.text) > 0
    assert f"--uid {user.text} " in made
    after = instructions[instructions.index(user) :]
    assert {item.keyword for item in after} <= {"USER", "VOLUME", "CMD", "STOPSIGNAL", "HEALTHCHECK"}


@each_image
def test_every_file_it_copies_is_there_and_is_sent(file: str) -> None:
    copies = copies_from_context(read_dockerfile(file))
    assert len(copies) >= 10
    for source, _ in copies:
        within = [name for name in tracked_files() if name == source or name.startswith(f"{source}/")]
        assert within, f"{source} is not in the project"
        assert all(is_sent_to_build(name) for name in within), source


def test_nothing_else_is_sent() -> None:
    copied = {source for file in IMAGES for source, _ in copies_from_context(read_dockerfile(file))}
    sent = {name for name in tracked_files() if is_sent_to_build(name)}
    assert {name for name in sent if not any(name == item or name.startswith(f"{item}/") for item in copied)} == set()
    assert not is_sent_to_build(".venv/bin/python")
    assert not is_sent_to_build(".sparkle/store/x")
    assert not is_sent_to_build("providers/__pycache__/x.pyc")


@each_image
def test_code_is_copied_after_the_dependencies_are_installed(file: str) -> None:
    texts = [item.text for item in read_dockerfile(file)]
    install = next(position for position, text in enumerate(texts) if "-r requirements.txt" in text)
    code = [position for position, text in enumerate(texts) if text.startswith(("contracts ", "providers "))]
    assert code
    assert all(position > install for position in code)


@each_image
def test_the_extras_it_installs_exist(file: str) -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (install,) = (item.text for item in read_dockerfile(file) if "requirements.py pyproject.toml" in item.text)
    chosen = install.split("pyproject.toml ")[1].split(" >")[0].split()
    assert set(chosen) == {"postgres", "k8s", *(["wav2lip"] if file.endswith(".gpu") else [])}
    command = [sys.executable, "docker/requirements.py", "pyproject.toml", *chosen]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line for extra in chosen for line in extras[extra]} <= set(listed)
    assert any(line.startswith("dagster~=") for line in listed)


@each_image
def test_its_variables_are_selectors_and_its_state_lies_in_volumes(file: str) -> None:
    stage = last_stage(read_dockerfile(file))
    values = environment_of(stage)
    (volumes,) = (item.words for item in stage if item.keyword == "VOLUME")
    assert {name for name in values if name.startswith("SPARKLE_")} <= set(SELECTORS)
    assert values["DAGSTER_HOME"] == values["SPARKLE_HOME"] + "/dagster"
    assert all(value.startswith(tuple(volumes)) for value in values.values())


@each_image
def test_its_commands_are_installed_by_the_project(file: str) -> None:
    commands = installed_commands()
    for instruction in last_stage(read_dockerfile(file)):
        if instruction.keyword in ("CMD", "ENTRYPOINT"):
            assert instruction.words[0] in commands
        if instruction.keyword == "HEALTHCHECK":
            assert instruction.text.split('CMD ["')[1].split('"')[0] in commands


def test_both_images_hold_the_same_project() -> None:
    cpu, gpu = (last_stage(read_dockerfile(file)) for file in IMAGES)
    assert cpu == gpu


def installed_commands() -> set[str]:
    return {point.name for point in entry_points(group="console_scripts")}
