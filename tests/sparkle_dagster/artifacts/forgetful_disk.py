"""A disk in memory that forgets what was not synced; stands in for ``os`` and ``fcntl`` below the store's own code.

Harsher than real file systems: a sync of a file keeps its bytes and no name, a sync of a directory keeps its names and
no bytes, and of what was not synced any part may survive a power cut, in any order. Not modelled: bytes of one file out
of order beyond ``TORN``, torn directories, and what a sync that failed leaves behind.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkle_dagster.artifacts import _durable, _reading
from tests.sparkle_dagster.artifacts.inodes import Inode


class Killed(BaseException):
    """The process is gone; what it wrote is still in the system's cache."""


class ForgetfulDisk:
    """As the module ``os``, for the calls that the store makes.

    Args:
        on_change: hears of each call that changed something, after it.
    """

    def __init__(self, on_change: Callable[[], object] | None = None) -> None:
        self.root = Inode("", is_directory=True)
        self.inodes = [self.root]
        self.on_change = on_change
        self.calls_left: int | None = None
        self._open: dict[int, tuple[Inode, list[int]]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        assert not callable(found), f"os.{name} is not simulated"
        return found

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        parent, name = self._parent(path)
        inode = parent.names.get(name) if name else parent
        if inode is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            inode = self._made(path, is_directory=False)
            parent.name(name, inode)
            self._changed()
        elif flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        elif flags & os.O_DIRECTORY and not inode.is_directory:
            raise _error(errno.ENOTDIR, path)
        fd = 1000 + len(self._open)
        self._open[fd] = (inode, [0])
        return fd

    def close(self, fd: int) -> None:
        self._alive()

    def read(self, fd: int, count: int) -> bytes:
        inode, offset = self._open[fd]
        block = inode.data[offset[0] : offset[0] + count]
        offset[0] += len(block)
        return block

    def lseek(self, fd: int, position: int, how: int) -> int:
        self._open[fd][1][0] = position
        return position

    def write(self, fd: int, data: bytes) -> int:
        self._alive()
        self._open[fd][0].data += bytes(data)
        self._changed()
        return len(data)

    def fsync(self, fd: int) -> None:
        self._alive()
        self._open[fd][0].sync()
        self._changed()

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self._give(path, lambda: self._made(path, is_directory=True))

    def link(self, source: Path, target: Path, *, follow_symlinks: bool = True) -> None:
        inode = self._found(source)
        self._give(target, lambda: inode)

    def unlink(self, path: Path) -> None:
        self._found(path)
        parent, name = self._parent(path)
        parent.name(name, None)
        self._changed()

    def rename(self, source: Path, target: Path) -> None:
        """Two changes that may be forgotten each on its own."""
        inode = self._found(source)
        (old_parent, old_name), (parent, name) = self._parent(source), self._parent(target)
        parent.name(name, inode)
        old_parent.name(old_name, None)
        self._changed()

    def listdir(self, path: Path) -> list[str]:
        inode = self._found(path)
        if not inode.is_directory:
            raise _error(errno.ENOTDIR, path)
        return list(inode.names)

    def stat(self, path: Path) -> os.stat_result:
        return _stat_of(self._found(path))

    lstat = stat

    def fstat(self, fd: int) -> os.stat_result:
        return _stat_of(self._open[fd][0])

    def fchmod(self, fd: int, mode: int) -> None:
        self._alive()

    def utime(self, fd: int, *, ns: tuple[int, int]) -> None:
        self._alive()

    @property
    def path(self) -> Any:
        return os.path

    def unsynced_names(self) -> list[tuple[Inode, int]]:
        return [(inode, index) for inode in self.inodes for index in range(len(inode.unsynced))]

    def has_unsynced_data(self) -> bool:
        return any(inode.data != inode.synced_data for inode in self.inodes)

    def after_power_cut(self, kept: Iterable[tuple[Inode, int]], torn: Callable[[bytes], bytes]) -> "ForgetfulDisk":
        """The disk that is found when the power is back: everything on it is synced.

        Args:
            kept: the unsynced names that survived all the same.
            torn: what is left of unsynced bytes.
        """
        survivors = set(kept)
        disk = ForgetfulDisk()
        disk.inodes = []
        copies: dict[Inode, Inode] = {}

        def copied(inode: Inode) -> Inode:
            if inode in copies:
                return copies[inode]
            data = inode.data if inode.data == inode.synced_data else torn(inode.data)
            copy = copies[inode] = Inode(inode.path, inode.is_directory, data, data)
            disk.inodes.append(copy)
            names = dict(inode.synced_names)
            for index, (name, target) in enumerate(inode.unsynced):
                if (inode, index) not in survivors:
                    continue
                if target is None:
                    names.pop(name, None)
                else:
                    names[name] = target
            copy.names = {name: copied(target) for name, target in names.items()}
            copy.synced_names = dict(copy.names)
            return copy

        disk.root = copied(self.root)
        return disk

    def contents(self, below: str = "", inode: Inode | None = None) -> dict[str, bytes | None]:
        """path -> bytes, None for a directory."""
        found: dict[str, bytes | None] = {}
        for name, child in (inode or self.root).names.items():
            place = f"{below}/{name}"
            found[place] = None if child.is_directory else child.data
            found |= self.contents(place, child)
        return found

    def _give(self, path: Path, inode: Callable[[], Inode]) -> None:
        self._alive()
        parent, name = self._parent(path)
        if name in parent.names or not name:
            raise _error(errno.EEXIST, path)
        parent.name(name, inode())
        self._changed()

    def _made(self, path: Path, *, is_directory: bool) -> Inode:
        self._alive()
        inode = Inode(str(path), is_directory)
        self.inodes.append(inode)
        return inode

    def _found(self, path: Path) -> Inode:
        parent, name = self._parent(path)
        if name and name not in parent.names:
            raise _error(errno.ENOENT, path)
        return parent.names[name] if name else parent

    def _parent(self, path: Path) -> tuple[Inode, str]:
        self._alive()
        inode = self.root
        *parents, name = str(path).strip("/").split("/")
        for part in parents:
            if part not in inode.names:
                raise _error(errno.ENOENT, path)
            inode = inode.names[part]
            if not inode.is_directory:
                raise _error(errno.ENOTDIR, path)
        return inode, name

    def _alive(self) -> None:
        if self.calls_left == 0:
            raise Killed

    def _changed(self) -> None:
        if self.calls_left is not None:
            self.calls_left -= 1
        if self.on_change is not None:
            self.on_change()


class _NoLocks:
    """As ``fcntl``: one process at a time runs on a forgetful disk."""

    LOCK_EX = LOCK_SH = LOCK_NB = LOCK_UN = 0

    def flock(self, fd: int, how: int) -> None:
        """Granted."""


@contextmanager
def store_on(disk: ForgetfulDisk) -> Generator[None]:
    """Inside, the store writes to and reads from ``disk`` alone; the innermost disk counts."""
    places = [(_durable, "os", disk), (_durable, "fcntl", _NoLocks()), (_reading, "os", disk)]
    before = [getattr(place, name) for place, name, _ in places]
    for place, name, substitute in places:
        setattr(place, name, substitute)
    try:
        yield
    finally:
        for (place, name, _), was in zip(places, before, strict=True):
            setattr(place, name, was)


def _error(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))


def _stat_of(inode: Inode) -> os.stat_result:
    mode = stat.S_IFDIR if inode.is_directory else stat.S_IFREG
    return os.stat_result((mode | 0o755, id(inode), 1, 1, 0, 0, len(inode.data), 0, 0, 0))
