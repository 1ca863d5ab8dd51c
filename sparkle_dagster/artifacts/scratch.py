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
        self._finalizer: weakref.finalize[..., Scratch] | None = None

    def directory(self) -> Path:
        if self._path is None or self._owner_pid != os.getpid():
            self._path, fd = _durable.create_private_directory(self._parent)
            self._owner_pid = os.getpid()
            self._finalizer = weakref.finalize(self, _remove, self._path, fd, self._owner_pid)
        return self._path

    def close(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._path = self._finalizer = None


def _remove(path: Path, fd: int, owner_pid: int) -> None:
    if os.getpid() == owner_pid:
        shutil.rmtree(path, ignore_errors=True)
        _reading.close(fd)
