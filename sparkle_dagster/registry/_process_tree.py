"""Linux: adopt, find and kill every descendant of a process. Only the standard library: providers' supervisors start
with it.

A process group is not enough (``setsid`` leaves it), nor is the parent's list of children (a double fork leaves it).
A *subreaper* inherits every orphan below it, so walking down from it finds all.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PAUSE_SECONDS = 0.002


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def signal_when_parent_ends(number: signal.Signals) -> None:
    """Ask for a signal when the *thread* that started this process ends."""
    _prctl(_PR_SET_PDEATHSIG, number)


def descendants(root: int, keep: Collection[int] = ()) -> set[int]:
    """Ids of all processes below ``root``, zombies included; without ``keep`` and what is below them."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found and child not in keep:
                found.add(child)
                waiting.append(child)
    return found


def kill_descendants(reap: Callable[[], None], limit_seconds: float, keep: Collection[int] = ()) -> set[int]:
    """SIGKILL everything below this process until nothing is left; returns what could not be killed in time.

    Args:
        keep: processes that go on, with all that is below them.
    """
    deadline = time.monotonic() + limit_seconds
    while left := descendants(os.getpid(), keep):
        if time.monotonic() > deadline:
            return left
        _kill(left)
        time.sleep(_PAUSE_SECONDS)
        reap()
    return set()


def kill_marked(marker: str, limit_seconds: float) -> None:
    """SIGKILL every process that has ``marker`` in its environment, until none is left: where a supervisor was lost."""
    deadline = time.monotonic() + limit_seconds
    while (left := set(_marked(marker.encode()))) and time.monotonic() < deadline:
        _kill(left)
        time.sleep(_PAUSE_SECONDS)


def memory_bytes(root: int) -> int:
    """What a process and all below it hold; pages that they share are counted once."""
    total = 0
    for pid in (root, *descendants(root)):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total


def _marked(marker: bytes) -> Iterator[int]:
    for pid in _pids():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and marker in Path(f"/proc/{pid}/environ").read_bytes():
                yield pid


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _pids():
        with contextlib.suppress(OSError):
            # proc_pid_stat(5): "pid (name) state ppid ..."; the name may hold spaces and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            yield pid, int(fields[1])


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
