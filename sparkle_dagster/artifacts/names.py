"""Names for things derived from content alone: a cache. The last writer wins; what cannot be read is not known."""

from collections.abc import Iterator
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactCorrupt, ContractViolation
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.keys import Layout, checked_key
from sparkle_dagster.artifacts.manifests import decoded, encoded
from sparkle_dagster.artifacts.uses import NameUse

_FILE = "@ref"  # no part of a key begins with @, so a key never collides with the file of its parent


class Names:
    def __init__(self, layout: Layout, blobs: BlobArea) -> None:
        self._layout = layout
        self._blobs = blobs

    def give(self, key: str, ref: ArtifactRef) -> None:
        directory = self._layout.names
        for part in checked_key(key).split("/"):
            directory = directory / part
            _durable.make_directory(directory)
        with _durable.PrivateFile(self._layout.incoming) as private:
            private.write(encoded({"key": key, "ref": ref.model_dump(mode="json")}))
            private.seal()
            private.replace(directory / _FILE)

    def below(self, part: str) -> Iterator[str]:
        """Keys that begin with this part and can be read."""
        yield from (use.key for use in self._below(part, self._layout.names / checked_key(part)))

    def uses(self) -> Iterator[NameUse]:
        """Every name that can be read."""
        yield from self._below("", self._layout.names)

    def forget(self, use: NameUse) -> bool:
        """False when it was given again since it was looked at."""
        path = self._layout.names / checked_key(use.key) / _FILE
        with _durable.locked(self._layout.gc_lock, exclusive=True):
            return _durable.unlink_if_unused(path, use.version[0])

    def _below(self, key: str, directory: Path) -> Iterator[NameUse]:
        for name in _reading.names_in(directory):
            path = directory / name
            if name != _FILE:
                yield from self._below(f"{key}/{name}".lstrip("/"), path)
            elif (ref := self.given(key)) is not None:
                status = path.lstat()
                yield NameUse(key, ref.digest, status.st_mtime, (status.st_mtime_ns, 0))

    def given(self, key: str) -> ArtifactRef | None:
        """None also when the bytes are gone or the record is damaged: the caller makes it again."""
        path = self._layout.names / checked_key(key) / _FILE
        try:
            with _reading.reading(path) as fd:
                body = decoded(b"".join(_reading.blocks(fd)), key)
            ref = ArtifactRef.parse(body.get("ref"))
        except (FileNotFoundError, NotADirectoryError, ArtifactCorrupt, ContractViolation):
            return None
        return ref if body.get("key") == key and self._blobs.has(ref.digest) else None
