"""Breaking the disk: stands in for the modules ``os`` and ``fcntl`` of the store, counts their calls, acts at one."""

import errno
import fcntl
import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from sparkle_dagster.artifacts import _durable, _reading

Act = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""What happens instead of a call: name, the real function, its arguments."""

CALLS = re.compile(
    "open|close|read|write|pread|pwrite|link|unlink|rename|mkdir|fsync|fchmod|fstat|lstat|stat|utime|lseek|listdir"
    "|copy_file_range|fdopen|flock"
)
KILLED = 77


class _Watched:
    def __init__(self, module: Any, act: Act) -> None:
        self._module, self._act = module, act

    def __getattr__(self, name: str) -> Any:
        real = _no_sync if name == "fsync" else getattr(self._module, name)
        if not CALLS.fullmatch(name):
            return real
        return lambda *args, **kwargs: self._act(name, real, args, kwargs)


def _no_sync(fd: int) -> None:
    """A kill does not empty the system's cache, and a hundred stores on a busy disk would wait long."""


def as_usual(name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Acts as the system does, except for the wait of a sync."""
    return real(*args, **kwargs)


@contextmanager
def watched(act: Act) -> Generator[None]:
    """Every system call of the store goes through ``act``; the innermost one counts."""
    places = [(_durable, "os", os), (_durable, "fcntl", fcntl), (_reading, "os", os)]
    before = [getattr(place, name) for place, name, _ in places]
    for place, name, module in places:
        setattr(place, name, _Watched(module, act))
    try:
        yield
    finally:
        for (place, name, _), was in zip(places, before, strict=True):
            setattr(place, name, was)


class KillAt:
    """Ends the process ``before`` call ``number`` (a write is half done) or ``after`` it."""

    def __init__(self, number: int, moment: str) -> None:
        self.number, self.moment = number, moment

    def __call__(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.number -= 1
        if self.number:
            return real(*args, **kwargs)
        if self.moment == "before" and name == "write":
            real(args[0], bytes(args[1])[: len(args[1]) // 2])
        if self.moment == "after":
            with suppress(OSError):
                real(*args, **kwargs)
        os._exit(KILLED)


class FailAt:
    """Raises ``code`` at call ``number``; ``name`` says afterwards which call it was, empty if none."""

    def __init__(self, number: int, code: int) -> None:
        self.number, self.code, self.name = number, code, ""

    def __call__(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.number -= 1
        if self.number:
            return real(*args, **kwargs)
        self.name = name
        if name == "close":  # a close that fails has closed all the same
            real(*args, **kwargs)
        raise OSError(self.code, os.strerror(self.code))


class Recorder:
    """Keeps what changed the disk, as ``(call, path, other path)``; descriptors are told by their path."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self._paths: dict[int, str] = {}

    def acknowledge(self, step: str) -> None:
        """What was called for before this must be durable now."""
        self.calls.append(("acknowledge", step, ""))

    def __call__(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        first = self._paths.get(args[0], "?") if isinstance(args[0], int) else str(args[0])
        second = str(args[1]) if name in {"link", "rename"} else _lock_name(args) if name == "flock" else ""
        self.calls.append((name, first, second))  # also when it raises: what exists may not be synced yet
        result = real(*args, **kwargs)
        if name == "open":
            self._paths[result] = first
        return result


def _lock_name(args: tuple[Any, ...]) -> str:
    return "exclusive" if len(args) > 1 and args[1] == fcntl.LOCK_EX else "shared"


def broken_rules(calls: list[tuple[str, str, str]]) -> list[str]:
    """Where a power cut after an acknowledgement could lose or tear something. Empty when nothing could."""
    broken: list[str] = []
    for index, (name, path, other) in enumerate(calls):
        before, after = calls[:index], calls[index + 1 :]
        if name == "mkdir" and not _synced(after, str(Path(path).parent)):
            broken.append(f"the name of directory {path} is not synced")
        if name not in {"link", "rename"}:
            continue
        history = [call for call, where, _ in before if where == path and call in {"write", "pwrite", "fsync"}]
        if "/incoming/" in path and (not history or history[-1] != "fsync"):
            broken.append(f"the bytes of {other} are not synced before it is published")
        if not _synced(after, str(Path(other).parent)):
            broken.append(f"the name {other} is not synced")
        if name == "link" and not _lock_held(before):
            broken.append(f"{other} is published while a sweep may run")
    return broken


def _synced(calls: list[tuple[str, str, str]], directory: str) -> bool:
    """Whether the directory is synced before the next acknowledgement."""
    until = takewhile(lambda call: call[0] != "acknowledge", calls)
    return any(call[:2] == ("fsync", directory) for call in until)


def _lock_held(calls: list[tuple[str, str, str]]) -> bool:
    of_lock = [name for name, path, _ in calls if path.endswith("/gc.lock") and name in {"flock", "close"}]
    return bool(of_lock) and of_lock[-1] == "flock"


ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE)
