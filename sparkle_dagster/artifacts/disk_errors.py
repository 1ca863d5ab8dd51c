"""An ``OSError`` of the store, told as a typed error: what was tried, what came, what to do."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ArtifactError, NoSpace
from sparkle_dagster.artifacts._reading import NotARegularFile

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = "the file system has no hard links or locks: put the store on a local disk (ext4, xfs, btrfs)"
_ADVICE = {
    errno.EACCES: "give this user the right to read and write the store",
    errno.EPERM: f"give this user the right to read and write the store, or, if it has: {_NO_LINKS}",
    errno.EROFS: "the file system is mounted read-only: check the disk, then mount it for writing",
    errno.EIO: "the disk reported an error: check it (dmesg, SMART); running again is safe",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n); running again is safe",
    errno.ENFILE: "too many open files on this machine; running again is safe",
    errno.ENOENT: "a directory of the store is gone: was it moved or removed while in use?",
    errno.EXDEV: "the store spans several file systems: keep all below one root on one file system",
    errno.EMLINK: "the file has too many hard links: remove the old names in incoming/",
    errno.ENOLCK: _NO_LINKS,
    errno.EOPNOTSUPP: _NO_LINKS,
    errno.ESTALE: "the network file system lost the file: put the store on a local disk",
}


@contextmanager
def typed_errors(doing: str, place: Path) -> Generator[None]:
    """Turn any ``OSError`` into an ``ArtifactError``.

    Args:
        doing: completes "could not ...".
        place: directory whose free space is told when there is none left.

    Raises:
        NoSpace: disk, quota or file size limit.
        ArtifactError: every other failure of the system.
    """
    try:
        yield
    except NotARegularFile as error:
        raise ArtifactError(
            f"could not {doing}: expected a regular file, got {error.strerror} at {error.filename}; "
            "give the file itself, not a link to it"
        ) from error
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        where = f" at {error.filename}" if error.filename else ""
        found = f"could not {doing}: {name} ({error.strerror}){where}"
        if error.errno in _NO_SPACE:
            raise NoSpace(f"{found}; {_room(place)}; free some space or raise the quota, then run again") from error
        advice = _ADVICE.get(error.errno or 0, "nothing was committed; running again is safe")
        raise ArtifactError(f"{found}; {advice}") from error


def _room(place: Path) -> str:
    try:
        found = os.statvfs(place)
    except OSError:
        return "free space unknown"
    return f"{found.f_bavail * found.f_frsize} bytes are free at {place}"
