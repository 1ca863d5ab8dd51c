# ruff: noqa: PTH115, PTH208
"""What the store reads: regular files only, never through a symlink. Nothing here changes what is stored."""

import errno
import os
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # NONBLOCK: a FIFO must not hang the open


class NotARegularFile(OSError):
    """A symlink, directory, FIFO, socket or device stands where a file was expected."""


@contextmanager
def reading(path: Path) -> Generator[int]:
    """A descriptor of ``path``, closed at the end; no symlink is followed.

    Raises: NotARegularFile, OSError.
    """
    fd = open_regular(path)
    try:
        yield fd
    finally:
        os.close(fd)


def open_regular(path: Path) -> int:
    """As ``reading``; the caller closes, or hands it to ``stream``."""
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise NotARegularFile(error.errno, "a symlink or socket", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotARegularFile(errno.EINVAL, "a directory, FIFO or device", str(path))
    except OSError:
        os.close(fd)
        raise
    return fd


def close(fd: int) -> None:
    os.close(fd)


def stream(fd: int) -> BinaryIO:
    """The open file from its first byte; closing the stream closes ``fd``."""
    os.lseek(fd, 0, os.SEEK_SET)
    return os.fdopen(fd, "rb")


def blocks(fd: int, limit_bytes: int | None = None) -> Iterator[bytes]:
    """The file's bytes from the start; at most ``limit_bytes``, so that a growing file has an end."""
    os.lseek(fd, 0, os.SEEK_SET)
    left_bytes = sys.maxsize if limit_bytes is None else limit_bytes
    while block := os.read(fd, min(CHUNK_BYTES, left_bytes)):
        left_bytes -= len(block)
        yield block


def copy_file(source_fd: int, target_fd: int) -> None:
    """Copy all bytes inside the kernel, by shared blocks where the file system has them; by hand where it cannot."""
    size_bytes = os.fstat(source_fd).st_size
    done_bytes = 0
    with _unless_unsupported():
        while done_bytes < size_bytes:
            copied = os.copy_file_range(source_fd, target_fd, size_bytes - done_bytes, done_bytes, done_bytes)
            if copied == 0:
                break
            done_bytes += copied
    while block := os.pread(source_fd, CHUNK_BYTES, done_bytes):
        done_bytes += os.pwrite(target_fd, block, done_bytes)


@contextmanager
def _unless_unsupported() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
            raise


def place_of(fd: int) -> str:
    """The path of an open file as the kernel knows it: no symlink, no ``..``."""
    return os.readlink(f"/proc/self/fd/{fd}")


def stamp(fd: int) -> tuple[int, int, int]:
    """What changes when somebody writes to an open file: size, mtime, ctime."""
    found = os.fstat(fd)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_at(fd: int, path: Path) -> bool:
    """Whether ``path`` still names the open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def files_in(directory: Path) -> list[os.DirEntry[str]]:
    """Regular files in a directory; none when it is not there."""
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def names_in(directory: Path) -> list[str]:
    """Names in a directory, sorted; none when it is not there."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
