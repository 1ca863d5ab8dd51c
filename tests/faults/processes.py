"""Finding the processes of an installation from outside, by what the kernel knows of them, and killing one."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE_SECONDS = 300


def wait_for(what: str, look: Callable[[], Found | None], *, every: float = 0.05) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(every)
    raise AssertionError(f"never happened: {what}")


def kill(pid: int) -> bool:
    """kill -9; whether it hit a running process."""
    if not is_running(pid):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_running(pid: int) -> bool:
    """Not gone, and not merely waiting to be buried."""
    try:
        return _stat(pid)[0] not in "ZX"
    except OSError:
        return False


def below(pid: int, word: str) -> list[int]:
    """Descendants of a process with ``word`` in their command line, nearest first."""
    found: list[int] = []
    generation = [pid]
    parents = {child: parent for child in _all() if (parent := _parent(child)) is not None}
    while generation:
        generation = [child for child, parent in parents.items() if parent in generation]
        found += [child for child in generation if word in _command(child)]
    return found


def holders(path: Path) -> list[int]:
    """Processes that hold a shared lock on a file; not those that only look whether somebody does."""
    inode = path.stat().st_ino
    return [pid for pid in _all() if any(re.search(rf"FLOCK .* READ .*:{inode} ", text) for text in _locks(pid))]


def providers_of(home: Path) -> list[int]:
    """Provider processes of an installation: they work in folders of their own below its scratch folder."""
    scratch = home / "scratch"
    return [pid for pid in _all() if (place := _working_folder(pid)) and scratch in place.parent.parents]


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError, IndexError):
        return int(_stat(pid)[1])
    return None


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _working_folder(pid: int) -> Path | None:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink()
    return None


def _locks(pid: int) -> list[str]:
    """What the kernel says of each of its open files, the locks on it among it."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                found.append(path.read_text())
    return found
