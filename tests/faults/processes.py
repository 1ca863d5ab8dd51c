"""Finding the processes of an installation from outside, by what the kernel knows of them, and killing one."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE_SECONDS = 120


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
    """Processes that have a file open."""
    wanted = path.stat()
    return [pid for pid in _all() if (wanted.st_dev, wanted.st_ino) in _open_files(pid)]


def providers_of(home: Path) -> list[int]:
    """Provider processes of an installation: the forked workers, not their supervisors."""
    marked = [pid for pid in _all() if f"SPARKLE_ATTEMPT={home}" in _environment(pid)]
    return [pid for pid in marked if _parent(pid) in marked]


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


def _environment(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return ""


def _open_files(pid: int) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(((status := link.stat()).st_dev, status.st_ino))
    return found
