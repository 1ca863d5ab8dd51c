"""Dockerfiles and the compose file as data: instructions, services, what a name in them stands for."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

PROJECT = Path(__file__).parent.parent.parent
IMAGES = ("docker/Dockerfile", "docker/Dockerfile.gpu")
COMPOSE = "docker/compose.yaml"

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?(?P<message>[^}]*))?\}")


@dataclass(frozen=True)
class Instruction:
    """One line of a Dockerfile, its continuations joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """The exec form's items, or the words of the line without its flags."""
        if self.text.startswith("["):
            return [str(item) for item in json.loads(self.text)]
        return [word for word in shlex.split(self.text) if not word.startswith("--")]


def read_dockerfile(file: str) -> list[Instruction]:
    """Instructions in their order; comments are left out, also within a continued line."""
    lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(keyword.upper(), rest) for keyword, rest in parts]


def last_stage(instructions: list[Instruction]) -> list[Instruction]:
    """What the finished image is made of; what it inherits from an earlier stage is not in it."""
    starts = [position for position, item in enumerate(instructions) if item.keyword == "FROM"]
    return instructions[starts[-1] + 1 :]


def environment_of(instructions: list[Instruction]) -> dict[str, str]:
    pairs = [word.partition("=") for item in instructions if item.keyword == "ENV" for word in item.words]
    return {name: value for name, _, value in pairs}


def copies_from_context(instructions: list[Instruction]) -> list[tuple[str, str]]:
    """(path in the project, destination in the image's working directory)."""
    found: list[tuple[str, str]] = []
    for item in instructions:
        if item.keyword == "COPY" and "--from=" not in item.text:
            *sources, target = item.words
            found += [(source, _destination(source, target, len(sources) > 1)) for source in sources]
    return found


def is_sent_to_build(path: str) -> bool:
    """Whether ``.dockerignore`` lets a file through: the last pattern that fits it or a folder above it decides."""
    folders = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    sent = True
    for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and not line.startswith("#"):
            names = [PurePosixPath(folder).name for folder in folders] if "**/" in line else folders
            sent = line.startswith("!") if any(fnmatch(name, pattern) for name in names) else sent
    return sent


def read_compose(variables: Mapping[str, str], file: str = COMPOSE) -> dict[str, Any]:
    """The compose file with anchors resolved and ``${...}`` replaced.

    Raises:
        KeyError: a variable without a default is not given; the text is the file's own message.
    """

    def replaced(match: re.Match[str]) -> str:
        value = variables.get(match["name"]) or match["default"]
        if value is None:
            raise KeyError(match["message"] or match["name"])
        return value

    text = (PROJECT / file).read_text(encoding="utf-8")
    lines = [line if line.startswith("#") else _VARIABLE.sub(replaced, line) for line in text.splitlines()]
    # A dump and a second reading turn merge keys into plain ones.
    document: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe", pure=True).load("\n".join(lines))))
    return document


def _destination(source: str, target: str, is_folder: bool) -> str:
    if is_folder or target.endswith("/"):
        return str(PurePosixPath(target) / PurePosixPath(source).name)
    return target
