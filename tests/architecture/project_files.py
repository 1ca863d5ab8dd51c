"""The project's own text files, and its Python modules as syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PACKAGES = ("contracts", "providers", "sparkle_dagster")
NOT_OURS = {".venv", ".git", "build", "dist", "node_modules"}
"""Folders that a copy without git may hold beside the project."""


@dataclass(frozen=True)
class Module:
    """One Python file of the project."""

    path: str
    """Relative to the project, with forward slashes."""
    tree: ast.Module

    @property
    def name(self) -> str:
        """As it is imported: ``sparkle_dagster.defs.assets``."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def tracked_files() -> tuple[str, ...]:
    """Paths that belong to the project, relative to it; new ones that git does not ignore as well."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else _walked()
    return tuple(sorted(name for name in names if name and (PROJECT / name).is_file()))


def _walked() -> list[str]:
    """Without git, as in an unpacked archive."""
    found = (path.relative_to(PROJECT) for path in PROJECT.rglob("*"))
    return [path.as_posix() for path in found if not NOT_OURS.intersection(path.parts)]


def modules(*folders: str) -> Iterator[Module]:
    """Python modules under ``folders``."""
    for path in tracked_files():
        if path.endswith(".py") and path.startswith(tuple(f"{folder}/" for folder in folders)):
            text = (PROJECT / path).read_text(encoding="utf-8")
            yield Module(path, ast.parse(text, filename=path))
