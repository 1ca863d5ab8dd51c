"""A private directory for copies, inside the store's file system, gone when its owner is."""

import os
import shutil
import weakref
from pathlib import Path

from sparkle_dagster.artifacts import _durable, _reading


class Scratch:
    """Made at first use; its lock says that the owner lives, so a sweep spares it. Each forked child gets its own."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._owner_pid = 0
        self._path: Path | None = None
        self._finalizers: list[weakref.finalize[..., Scratch]] = []  # several when threads raced

    def directory(self) -> Path:
        if self._path is None or self._owner_pid != os.getpid():
            path, fd = _durable.create_private_directory(self._parent)
            self._finalizers.append(weakref.finalize(self, _remove, path, fd, os.getpid()))
            self._path, self._owner_pid = path, os.getpid()
        return self._path

    def close(self) -> None:
        self._path = None
        while self._finalizers:
            self._finalizers.pop()()


def _remove(path: Path, fd: int, owner_pid: int) -> None:
    if os.getpid() == owner_pid:
        shutil.rmtree(path, ignore_errors=True)
        _reading.close(fd)
