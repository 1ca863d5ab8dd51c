"""Manifests on a local disk: ``refs/<key>/@<n>``. Not here: which number comes next, and what a manifest says."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.keys import Layout, checked_key
from sparkle_dagster.artifacts.uses import RefEntry


class LocalRefs:
    """Every key of one workspace."""

    def __init__(self, layout: Layout, blobs: BlobArea) -> None:
        self._layout = layout
        self._blobs = blobs

    def let_commits_finish(self) -> None:
        """Returns when every commit that had begun is visible or given up."""
        with _durable.locked(self._layout.gc_lock, exclusive=True):
            pass

    @contextmanager
    def committing(self, digests: Iterable[str]) -> Generator[list[str]]:
        """No sweep inside; gives those of ``digests`` that are not stored."""
        with _durable.locked(self._layout.gc_lock):
            yield self._missing(digests)

    def prepare(self, key: str) -> None:
        directory = self._directory(key)
        for parent in reversed(directory.relative_to(self._layout.refs).parents[:-1]):
            _durable.make_directory(self._layout.refs / parent)
        _durable.make_directory(directory)

    def names(self, key: str) -> list[str]:
        return _reading.names_in(self._directory(key))

    def read(self, key: str, name: str) -> bytes:
        """Raises: FileNotFoundError, NotADirectoryError."""
        with _reading.reading(self._directory(key) / name) as fd:
            return b"".join(_reading.blocks(fd))

    def create(self, key: str, name: str, data: bytes) -> bool:
        """Durable when it returns; False when somebody made it before."""
        with _durable.PrivateFile(self._layout.incoming) as private:
            private.write(data)
            private.seal()
            return private.publish(self._directory(key) / name)

    def entries(self, prefix: str = "") -> Iterator[RefEntry]:
        """Every file of every key that begins with ``prefix``."""
        for key, _ in self.keys(prefix):
            for found in _reading.files_in(self._directory(key)):
                if found.name.startswith("@"):
                    yield RefEntry(key, found.name, found.stat(follow_symlinks=False).st_mtime)

    def remove(self, key: str, names: Iterable[str]) -> None:
        """In this order, durably."""
        directory = self._directory(key)
        with _durable.locked(self._layout.gc_lock, exclusive=True):
            for name in names:
                with suppress(FileNotFoundError):
                    _durable.remove(directory / name)
            _durable.sync_directory(directory)

    def settle(self, key: str) -> None:
        """Make durable what another writer may have made and not synced yet."""
        _durable.sync_directory(self._directory(key))

    def keys(self, prefix: str) -> Iterator[tuple[str, list[str]]]:
        """Key and names of its manifests, sorted by key; whole parts of the prefix choose where to look."""
        parent, _, start = prefix.rpartition("/")
        base = self._directory(parent) if parent else self._layout.refs
        for name in _reading.names_in(base):
            if name.startswith(start):
                yield from self._below(f"{parent}/{name}" if parent else name, base / name)

    def _missing(self, digests: Iterable[str]) -> list[str]:
        return [digest for digest in digests if not self._blobs.use(digest)]

    def _below(self, key: str, directory: Path) -> Iterator[tuple[str, list[str]]]:
        names = _reading.names_in(directory)
        if own := [name for name in names if name.startswith("@")]:
            yield key, own
        for name in names:
            if not name.startswith("@"):
                yield from self._below(f"{key}/{name}", directory / name)

    def _directory(self, key: str) -> Path:
        return self._layout.refs / checked_key(key)
