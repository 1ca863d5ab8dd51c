"""Stored bytes by their SHA-256. Not here: who refers to them (``chain``, ``names``)."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from contracts.errors import ArtifactCorrupt, ArtifactError, ArtifactMissing
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.keys import Layout, checked_digest
from sparkle_dagster.artifacts.uses import BlobUse

_INSIDE_A_STORE = re.compile(r"/ws/[^/]+/(cas|refs|names|incoming|quarantine)/")
_MAX_HEALINGS = 8  # a disk that rots faster than this is not worth writing to


class BlobArea:
    """The content-addressed files of one workspace; never shared with another one."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def add(self, source: Path | BinaryIO, limit_bytes: int | None = None) -> tuple[str, int]:
        """Store the bytes durably. Returns digest and size in bytes."""
        with _durable.PrivateFile(self._layout.incoming) as private:
            digest, size_bytes = self._fill(private, source, limit_bytes)
            self.publish(private, digest)
        return digest, size_bytes

    def has(self, digest: str) -> bool:
        return _reading.is_regular(self._layout.blob(checked_digest(digest)))

    def open_verified(self, digest: str) -> tuple[int, int]:
        """A descriptor whose bytes were read and compared, and the size in bytes.

        Raises: ArtifactMissing, ArtifactCorrupt.
        """
        path = self._layout.blob(checked_digest(digest))
        try:
            fd = _reading.open_regular(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ArtifactMissing(
                f"sha256:{digest}: expected at {path}, got nothing; run again what made it, or restore it from a copy"
            ) from error
        try:
            found, size_bytes = digest_of_blocks(_reading.blocks(fd))
            if found != digest:
                raise ArtifactCorrupt(
                    f"sha256:{digest}: the stored bytes changed, they are now sha256:{found}; "
                    f"{self._quarantine(fd, path)}; run again what made it, or restore it from a copy"
                )
        except BaseException:
            _reading.close(fd)
            raise
        return fd, size_bytes

    def use(self, digest: str) -> bool:
        """Say that the bytes are in use; False when they are not there."""
        try:
            with _reading.reading(self._layout.blob(checked_digest(digest))) as fd:
                _durable.touch(fd)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def uses(self) -> Iterator[BlobUse]:
        """Everything that is stored."""
        for shard in _reading.names_in(self._layout.blobs):
            for found in _reading.files_in(self._layout.blobs / shard):
                status = found.stat(follow_symlinks=False)
                yield BlobUse(found.name, status.st_size, status.st_mtime, (status.st_mtime_ns, 0))

    def remove(self, uses: Iterable[BlobUse]) -> list[BlobUse]:
        """Those that were not used since they were looked at; no writer is inside."""
        with _durable.locked(self._layout.gc_lock, exclusive=True):
            return [use for use in uses if _durable.unlink_if_unused(self._layout.blob(use.digest), use.version[0])]

    def check(self, digest: str) -> int:
        """Read all bytes and compare; the size in bytes. Raises: ArtifactMissing, ArtifactCorrupt."""
        fd, size_bytes = self.open_verified(digest)
        _reading.close(fd)
        return size_bytes

    def copy_out(self, digest: str, directory: Path) -> tuple[Path, int]:
        """A verified read-only copy in ``directory``, and the size in bytes. A whole earlier copy is used again.

        The copy is what is verified, so what is handed out is what was compared.
        """
        target = directory / checked_digest(digest)
        if _reading.is_regular(target):
            with _reading.reading(target) as fd:
                found, size_bytes = digest_of_blocks(_reading.blocks(fd))
            if found == digest:
                return target, size_bytes
        try:
            source_fd = _reading.open_regular(self._layout.blob(digest))
        except (FileNotFoundError, NotADirectoryError):
            source_fd, _ = self.open_verified(digest)  # raises, with the reason
        try:
            with _durable.PrivateFile(directory) as private:
                _reading.copy_file(source_fd, private.fd)
                found, size_bytes = digest_of_blocks(_reading.blocks(private.fd))
                if found == digest:
                    private.hand_over(target)
                    return target, size_bytes
        finally:
            _reading.close(source_fd)
        _reading.close(self.open_verified(digest)[0])  # raises when the stored bytes are the wrong ones
        raise ArtifactError(f"sha256:{digest}: the copy at {directory} differs from the store; check that disk")

    def publish(self, private: _durable.PrivateFile, digest: str) -> None:
        """Make a private file's bytes the stored ones, durably."""
        private.seal()
        with _durable.locked(self._layout.gc_lock):
            self._publish(private, digest)

    def _fill(self, private: _durable.PrivateFile, source: Path | BinaryIO, limit_bytes: int | None) -> tuple[str, int]:
        if not isinstance(source, Path):
            return digest_of_blocks(_poured(private, iter(lambda: source.read(_reading.CHUNK_BYTES), b""), limit_bytes))
        try:
            fd = _reading.open_regular(source)
        except FileNotFoundError as error:
            raise ArtifactError(f"could not store {source}: expected a file, got nothing there") from error
        try:
            self._refuse_foreign(source, _reading.place_of(fd))
            before = _reading.stamp(fd)
            digest, size_bytes = digest_of_blocks(_poured(private, _reading.blocks(fd, before[0] + 1), limit_bytes))
            if _reading.stamp(fd) != before or size_bytes != before[0]:
                raise ArtifactError(
                    f"could not store {source}: it changed while it was read; wait until its writer is done"
                )
        finally:
            _reading.close(fd)
        return digest, size_bytes

    def _refuse_foreign(self, source: Path, place: str) -> None:
        """A file inside a store is its workspace's alone, under whatever path it is named."""
        if _INSIDE_A_STORE.search(place) and not Path(place).is_relative_to(self._layout.home.resolve()):
            raise ArtifactMissing(f"could not store {source}: expected a file, got nothing there for this workspace")

    def _publish(self, private: _durable.PrivateFile, digest: str) -> None:
        path = self._layout.blob(digest)
        _durable.make_directory(path.parent)
        for _ in range(_MAX_HEALINGS):
            if private.publish(path) or self._is_whole(digest, path):
                return
        raise ArtifactCorrupt(f"sha256:{digest}: replaced {_MAX_HEALINGS} times and still wrong; check the disk")

    def _is_whole(self, digest: str, path: Path) -> bool:
        """Whether what stands at ``path`` may be used again; wrong bytes are moved out of the way."""
        try:
            with _reading.reading(path) as fd:
                _durable.touch(fd)
                if digest_of_blocks(_reading.blocks(fd))[0] == digest:
                    return True
                self._quarantine(fd, path)
        except FileNotFoundError:  # another one quarantined it
            pass
        return False

    def _quarantine(self, fd: int, path: Path) -> str:
        """Move the bad file aside unless somebody replaced it meanwhile. Returns what was done, as half a sentence."""
        name = f"{path.name}.{uuid.uuid4().hex[:8]}"
        try:
            with _durable.locked(self._layout.quarantine_lock, exclusive=True):
                if _reading.is_at(fd, path):
                    _durable.move(path, self._layout.quarantine / name)
                    return f"moved to quarantine/{name}"
        except OSError as error:
            return f"could not be moved to quarantine ({error})"
        return "somebody else replaced them already"


def digest_of_blocks(blocks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 as 64 hex digits, and the number of bytes."""
    sha256, size_bytes = hashlib.sha256(), 0
    for block in blocks:
        sha256.update(block)
        size_bytes += len(block)
    return sha256.hexdigest(), size_bytes


def _poured(private: _durable.PrivateFile, blocks: Iterator[bytes], limit_bytes: int | None) -> Iterator[bytes]:
    """Write each block, then pass it on: the digest is of what was sent, not of what was read back."""
    total_bytes = 0
    for block in blocks:
        total_bytes += len(block)
        if limit_bytes is not None and total_bytes > limit_bytes:
            raise ArtifactError(f"expected at most {limit_bytes} bytes, got more; nothing was stored")
        private.write(block)
        yield block
