"""The names that documents use: commands of `sparkle`, targets of `make`, files of the project."""

import re
from functools import cache

from tests.architecture.project_files import PROJECT, tracked_files

_QUOTED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.@-]+)*/?")
_SHORT_FOR = ("", "sparkle_dagster/", "docs/")
"""Where a document's paths may count from."""


def unknown_names(text: str) -> list[str]:
    """Quoted commands and paths of ``text`` that the project does not have."""
    return [name for name in _QUOTED.findall(text.replace("`\n", "` ")) if not _is_known(name)]


def _is_known(name: str) -> bool:
    words = name.split()
    if not words:
        return True
    if words[0] in {"sparkle", ".venv/bin/sparkle"} and len(words) > 1 and words[1][0].isalpha():
        return words[1] in _commands()
    if words[0] == "make" and len(words) == 2:
        return bool(re.search(rf"^{re.escape(words[1])}:", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    if len(words) > 1 or "/" not in name or not _PATH.fullmatch(name):
        return True
    top, path = name.partition("/")[0], name.rstrip("/")
    roots = [root for root in _SHORT_FOR if any(file.startswith(f"{root}{top}/") for file in tracked_files())]
    return not roots or any(_exists(root + path) for root in roots)  # other folders are what a run makes


def _exists(path: str) -> bool:
    return any(file == path or file.startswith(f"{path}/") for file in tracked_files())


@cache
def _commands() -> set[str]:
    from sparkle_dagster.cli.main import app

    return {str(command.name) for command in app.registered_commands} | {
        str(group.name) for group in app.registered_groups
    }
