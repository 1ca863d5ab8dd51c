# ruff: noqa: PTH102, PTH104, PTH108, PTH116
"""What the store writes: every system call of the commit protocol is made here, by the names ``os`` and ``fcntl``.

Not here: reading (``_reading``), what is stored, and how an ``OSError`` is told to a person (``disk_errors``).
The calls are written as system calls, not by Path, so that a test can count and break each. The words used:

private     a file in ``incoming/`` that nobody knows; its lock says that its writer lives and goes with the process
sealed      read-only and synced, once; a file whose sync failed is dropped, because a second sync would lie
published   linked under its final name; a link never replaces, so a reader sees the whole file or none
durable     the directory that holds the name is synced too
"""

import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFile:
    """A new file in ``directory``; leaving the ``with`` block removes its private name."""

    def __init__(self, directory: Path) -> None:
        self.path, self.fd = _create_locked(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a name left behind is garbage, not damage
            os.unlink(self.path)
        with suppress(OSError):
            os.close(self.fd)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self.fd, view)
            if written <= 0:
                raise OSError(errno.EIO, "the disk took no bytes", str(self.path))
            view = view[written:]

    def stream(self) -> BinaryIO:
        """To write and read by; closing it leaves the file open."""
        return os.fdopen(self.fd, "r+b", closefd=False)

    def seal(self) -> None:
        os.fchmod(self.fd, 0o444)
        os.fsync(self.fd)

    def publish(self, target: Path) -> bool:
        """Link the sealed file as ``target`` durably; False when ``target`` was there already (durable now too)."""
        try:
            os.link(self.path, target, follow_symlinks=False)
            is_new = True
        except FileExistsError:
            is_new = False
        sync_directory(target.parent)
        return is_new

    def replace(self, target: Path) -> None:
        """Rename the sealed file over ``target`` durably: the last writer wins."""
        os.rename(self.path, target)
        sync_directory(target.parent)

    def hand_over(self, target: Path) -> None:
        """Rename over ``target``, read-only, not durable: for copies that need not outlive the process."""
        os.fchmod(self.fd, 0o444)
        os.rename(self.path, target)


def _create_locked(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / uuid.uuid4().hex
        fd = os.open(path, _CREATE, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink == 1:
                return path, fd
        except OSError:
            with suppress(OSError):
                os.unlink(path)
            os.close(fd)
            raise
        os.close(fd)  # a sweep took it between open and lock: try another name


def create_private_directory(parent: Path) -> tuple[Path, int]:
    """A new directory in ``parent``, mode 0700, and the descriptor that keeps it locked."""
    while True:
        path = parent / uuid.uuid4().hex
        os.mkdir(path, 0o700)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # a sweep took it between mkdir and open: try another name
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:
                return path, fd
        except OSError:
            os.close(fd)
            raise
        os.close(fd)  # a sweep took it between open and lock


@contextmanager
def abandoned(path: Path) -> Generator[bool]:
    """Whether the owner of a private file or directory is dead; inside, nobody else can say so too.

    What cannot be opened is not said to be abandoned.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _try_lock(fd)
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0


def make_directory(path: Path) -> None:
    """Make ``path`` durable, also when it was there: another writer may have made it and not synced it yet."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "a file stands where a directory was expected", str(path)) from None
    sync_directory(path.parent)


def make_root(path: Path) -> None:
    """As ``make_directory`` with all parents up to the mount point: one that was there may not be synced yet either.

    A parent that this user may not open was not made by this user.
    """
    if _is_mounted_at(path):
        return
    make_root(path.parent)
    try:
        make_directory(path)
    except PermissionError:
        if not _is_directory(path):
            raise


def _is_mounted_at(path: Path) -> bool:
    if path.parent == path:
        return True
    try:
        return os.stat(path).st_dev != os.stat(path.parent).st_dev
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, *, exclusive: bool = False) -> Generator[None]:
    """Hold the lock file ``path``; the kernel drops the lock with the process.

    Who comes first passes the gate beside it first: many that share the lock do not keep one out that wants it alone.
    """
    with _held(path.with_suffix(".gate"), exclusive=exclusive) as gate, _held(path, exclusive=exclusive):
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextmanager
def _held(path: Path, *, exclusive: bool) -> Generator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield fd
    finally:
        os.close(fd)


def touch(fd: int) -> None:
    """Say that the file is in use; a sweep spares what was used lately. Not being the owner is no error."""
    now = time.time_ns()  # the kernel's own stamp is coarser: two touches could look like one
    with suppress(PermissionError):
        os.utime(fd, ns=(now, now))


def remove(path: Path) -> None:
    os.unlink(path)


def unlink_if_unused(path: Path, mtime_ns: int) -> bool:
    """Remove a file that was not touched since; False when it was, or is gone. The caller holds the lock alone."""
    try:
        if os.lstat(path).st_mtime_ns != mtime_ns:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def keep_a_link(source: Path, target: Path) -> None:
    """A second name for what is about to be replaced, durable; a name that is taken stays."""
    os.link(source, target, follow_symlinks=False)
    sync_directory(target.parent)


def move(source: Path, target: Path) -> None:
    os.rename(source, target)
    sync_directory(target.parent)
    sync_directory(source.parent)
