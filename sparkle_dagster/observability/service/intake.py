"""Files that callers bring: streamed into a private folder of the inbox, started by the same command as by hand."""

import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from contracts.errors import UploadRejected
from contracts.service import RerunRequest, StartRequest, Switches
from sparkle_dagster.execution.inbox import ROLE_BY_SUFFIX
from sparkle_dagster.workspace import Workspace

DROP_NAME = re.compile(r"[a-z0-9-]{8,64}")
PREFIX = "web-"
LONGEST_NAME = 120
KEEP_SECONDS = 24 * 3600.0
FILES_OF_A_DROP = 4


class TooLarge(UploadRejected):
    """More bytes than the tool registry admits."""


async def receive(workspace: Workspace, drop: str, name: str, chunks: AsyncIterator[bytes]) -> int:
    """Write a file of a drop as it comes in; it appears when it is whole. Returns its size in bytes.

    Raises:
        UploadRejected: a name or a size that no upload may have.
    """
    folder = _folder(workspace, drop)
    role = ROLE_BY_SUFFIX.get(Path(name).suffix.lower())
    if role is None or role == "options" or name != Path(name).name or len(name) > LONGEST_NAME or name[0] in ".-":
        raise UploadRejected(f"expected a voice, a face or a transcript by its name, got {name[:LONGEST_NAME]!r}")
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.iterdir())) >= FILES_OF_A_DROP:
        raise UploadRejected(f"expected at most {FILES_OF_A_DROP} files in a drop, got another one")
    limit = workspace.registry.settings.uploads.max_bytes
    part, size = folder / f".{name}.part", 0
    try:
        with part.open("wb") as stream:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"{name}: expected at most {limit} bytes, got more")
                stream.write(chunk)
        part.replace(folder / name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return size


def start_arguments(workspace: Workspace, request: StartRequest) -> list[str]:
    """The command that starts a drop. Raises: UploadRejected: it has no voice, or two files for one role."""
    folder = _folder(workspace, request.drop)
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        role = ROLE_BY_SUFFIX[path.suffix.lower()]
        if role in files:
            raise UploadRejected(f"expected one {role} in a drop, got {files[role].name} and {path.name}")
        files[role] = path
    if "audio" not in files:
        raise UploadRejected(f"expected a voice in the drop {request.drop}, found {len(files)} other file(s)")
    arguments = ["run", str(files.pop("audio"))]
    arguments += [f"--{role}={path}" for role, path in files.items()]
    options = {name: getattr(request, name) for name in ("title", "language", "profile", "captions")}
    arguments += [f"--{name}={value}" for name, value in options.items() if value]
    arguments += [f"--tag={tag}" for tag in request.tags]
    return arguments + switch_arguments(request)


def rerun_arguments(production: str, request: RerunRequest) -> list[str]:
    """The command that makes a part again."""
    parts = {"only": request.only, "from": request.from_, "until": request.until}
    chosen = [f"--{name}={value}" for name, value in parts.items() if value]
    return ["rerun", production, *chosen, *(["--force"] if request.force else []), *switch_arguments(request)]


def switch_arguments(switches: Switches) -> list[str]:
    disabled = [f"--disable={node}" for node in switches.disable]
    return disabled + [f"--provider={node}={name}" for node, name in switches.provider.items()]


def forget(workspace: Workspace, drop: str) -> None:
    """Remove a drop's files: its command has its own copies."""
    shutil.rmtree(_folder(workspace, drop), ignore_errors=True)


def forget_old(workspace: Workspace) -> None:
    """Remove drops that nobody started within a day."""
    for folder in (workspace.inbox / ".drops").glob(f"{PREFIX}*"):
        if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(workspace: Workspace, drop: str) -> Path:
    if not DROP_NAME.fullmatch(drop):
        raise UploadRejected(f"expected a drop's name of 8 to 64 letters, digits and dashes, got {drop[:64]!r}")
    return workspace.inbox / ".drops" / f"{PREFIX}{drop}"
