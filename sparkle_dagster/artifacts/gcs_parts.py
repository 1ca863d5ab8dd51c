"""The parts of a bucket store: bytes, manifests, names. Not here: how they are put together (``gcs``)."""

import io
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactCorrupt, ArtifactError, ArtifactMissing, ContractViolation
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea, digest_of_blocks
from sparkle_dagster.artifacts.keys import blob_path, checked_digest, checked_key
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.manifests import decoded, encoded
from sparkle_dagster.artifacts.uses import BlobUse, NameUse, RefEntry

if TYPE_CHECKING:
    from sparkle_dagster.artifacts._bucket import Bucket, ObjectFacts
    from sparkle_dagster.artifacts.gcs import Connection

_MAX_HEALINGS = 8


class GcsBlobs:
    """Bytes by their SHA-256: the mirror has this machine's copies, the bucket has the truth."""

    def __init__(self, connection: "Connection", mirror: LocalArtifactStore) -> None:
        self._connection = connection
        self._home = mirror
        self._mirror = BlobArea(mirror.layout)

    def add(self, source: Path | BinaryIO, limit_bytes: int | None = None) -> tuple[str, int]:
        digest, size_bytes = self._mirror.add(source, limit_bytes)
        self._upload(digest)
        return digest, size_bytes

    def adopt(self, digest: str) -> None:
        """Store what the mirror has; where it has nothing, it was read from the bucket."""
        if self._mirror.has(digest):
            self._upload(digest)

    def has(self, digest: str) -> bool:
        return self._bucket.look(blob_path(checked_digest(digest))) is not None

    def digests(self) -> list[str]:
        """Everything that is stored."""
        return [facts.name.rpartition("/")[2] for facts in self._bucket.listed("cas/sha256/")]

    def uses(self) -> Iterator[BlobUse]:
        """Everything that is stored, as it is now."""
        for facts in self._bucket.listed("cas/sha256/"):
            digest = facts.name.rpartition("/")[2]
            yield BlobUse(digest, facts.size_bytes, facts.updated.timestamp(), facts.version)

    def remove(self, uses: Iterable[BlobUse]) -> list[BlobUse]:
        """Those that were not touched since they were looked at."""
        return [use for use in uses if self._bucket.remove(blob_path(use.digest), use.version)]

    def touch(self, digest: str) -> bool:
        """Say that the bytes are in use; False when they are not there."""
        return self._bucket.touch(blob_path(checked_digest(digest)))

    def open_verified(self, digest: str) -> tuple[int, int]:
        """A descriptor of this machine's copy, equal to what the bucket holds, and the size in bytes."""
        facts = self._facts(digest)
        for _ in range(_MAX_HEALINGS):
            if self._mirror.has(digest):
                fd, size_bytes, crc32c = self._open_mirrored(digest)
                if facts.holds(size_bytes, crc32c):
                    return fd, size_bytes
                _reading.close(fd)
                raise self._corrupt(digest, facts, f"{facts.size_bytes} bytes with CRC-32C {facts.crc32c}")
            self._download(digest, facts)
        raise ArtifactError(f"sha256:{digest}: this machine's copy goes away as soon as it is made; check that disk")

    def check(self, digest: str) -> int:
        """Read what the bucket holds, all of it; nothing is kept."""
        facts = self._facts(digest)
        with self._private() as private, private.stream() as sink:
            self._fetch_to(facts, sink, digest)
            found, size_bytes = digest_of_blocks(_reading.blocks(private.fd))
        if found != digest:
            raise self._corrupt(digest, facts, f"sha256:{found}")
        return size_bytes

    def copy_out(self, digest: str, directory: Path) -> tuple[Path, int]:
        fd, _ = self.open_verified(digest)
        _reading.close(fd)
        return self._mirror.copy_out(digest, directory)

    @property
    def _bucket(self) -> "Bucket":
        return self._connection.bucket

    def _facts(self, digest: str) -> "ObjectFacts":
        facts = self._bucket.look(blob_path(checked_digest(digest)))
        if facts is None:
            raise self._missing(digest)
        return facts

    def _open_mirrored(self, digest: str) -> tuple[int, int, str]:
        """Descriptor, size in bytes and CRC-32C of the mirror's copy; a wrong copy is replaced first."""
        from sparkle_dagster.artifacts._bucket import crc32c_text, extended

        fd, size_bytes = self._mirror.open_verified(digest)
        crc32c = 0
        for block in _reading.blocks(fd):
            crc32c = extended(crc32c, block)
        return fd, size_bytes, crc32c_text(crc32c)

    def _upload(self, digest: str) -> None:
        from sparkle_dagster.artifacts._bucket import Creation

        fd, size_bytes, crc32c = self._open_mirrored(digest)
        with _reading.stream(fd) as stream:
            for _ in range(_MAX_HEALINGS):
                match self._bucket.create(blob_path(digest), stream, size_bytes, crc32c, digest):
                    case Creation.MADE:
                        return
                    case Creation.SAME:
                        if self.touch(digest):
                            return
                    case Creation.OTHER:
                        facts = self._bucket.look(blob_path(digest))
                        if facts is not None and not facts.holds(size_bytes, crc32c):
                            self._set_aside(digest, facts)
        raise ArtifactCorrupt(f"sha256:{digest}: replaced {_MAX_HEALINGS} times and still wrong; check the bucket")

    def _download(self, digest: str, facts: "ObjectFacts") -> None:
        """Into the mirror."""
        with self._private() as private, private.stream() as sink:
            self._fetch_to(facts, sink, digest)
            found, _ = digest_of_blocks(_reading.blocks(private.fd))
            if found != digest:
                raise self._corrupt(digest, facts, f"sha256:{found}")
            self._mirror.publish(private, digest)

    def _private(self) -> _durable.PrivateFile:
        self._home.lay_out()
        return _durable.PrivateFile(self._home.layout.incoming)

    def _fetch_to(self, facts: "ObjectFacts", sink: BinaryIO, digest: str) -> None:
        try:
            self._bucket.download(facts, sink)
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        sink.flush()

    def _missing(self, digest: str) -> ArtifactMissing:
        return ArtifactMissing(
            f"sha256:{digest}: expected in {self._connection.place}, got nothing; run again what made it"
        )

    def _corrupt(self, digest: str, facts: "ObjectFacts", found: str) -> ArtifactCorrupt:
        return ArtifactCorrupt(
            f"sha256:{digest}: the stored bytes changed, they are now {found}; {self._set_aside(digest, facts)}; "
            "run again what made it, or restore it from a copy"
        )

    def _set_aside(self, digest: str, facts: "ObjectFacts") -> str:
        name = f"{digest}.{uuid.uuid4().hex[:8]}"
        if self._bucket.set_aside(facts, f"quarantine/{name}"):
            return f"moved to quarantine/{name}"
        return "somebody else replaced them already"


class GcsRefs:
    """Manifests as objects ``refs/<key>/@<n>``."""

    def __init__(self, connection: "Connection", blobs: GcsBlobs) -> None:
        self._connection = connection
        self._blobs = blobs

    @contextmanager
    def committing(self, digests: Iterable[str]) -> Generator[list[str]]:
        """Each is touched: a sweep that looked at it before spares it, and the answer proves that it is there."""
        yield [digest for digest in digests if not self._blobs.touch(digest)]

    def let_commits_finish(self) -> None:
        """Nothing to wait for: a sweep of a bucket spares what was used within an hour, commits end within that."""

    def entries(self, prefix: str = "") -> Iterator[RefEntry]:
        """Every object of every key that begins with ``prefix``."""
        for facts in self._connection.bucket.listed(f"refs/{prefix}"):
            key, _, name = facts.name.removeprefix("refs/").rpartition("/")
            yield RefEntry(key, name, facts.updated.timestamp())

    def remove(self, key: str, names: Iterable[str]) -> None:
        """In this order."""
        for name in names:
            facts = self._connection.bucket.look(f"refs/{checked_key(key)}/{name}")
            if facts is not None:
                self._connection.bucket.remove(facts.name, facts.version)

    def prepare(self, key: str) -> None:
        """Nothing to do: a bucket has no directories."""

    def settle(self, key: str) -> None:
        """Nothing to do: what was answered is durable."""

    def names(self, key: str) -> list[str]:
        return self._connection.bucket.names(f"refs/{key}/")

    def read(self, key: str, name: str) -> bytes:
        data = self._connection.bucket.read(f"refs/{key}/{name}")
        if data is None:
            raise FileNotFoundError(f"{key}/{name}")
        return data

    def create(self, key: str, name: str, data: bytes) -> bool:
        """True also when exactly these bytes were there: a manifest tells its attempt."""
        from sparkle_dagster.artifacts._bucket import Creation, crc32c_text, extended

        crc32c = crc32c_text(extended(0, data))
        made = self._connection.bucket.create(f"refs/{key}/{name}", io.BytesIO(data), len(data), crc32c)
        return made is not Creation.OTHER

    def keys(self, prefix: str) -> Iterator[tuple[str, list[str]]]:
        found: dict[str, list[str]] = {}
        for facts in self._connection.bucket.listed(f"refs/{prefix}"):
            key, _, name = facts.name.removeprefix("refs/").rpartition("/")
            found.setdefault(key, []).append(name)
        yield from sorted(found.items(), key=lambda item: item[0].split("/"))


class GcsNames:
    """Names as objects ``names/<key>/@ref``; the last writer wins."""

    def __init__(self, connection: "Connection", blobs: GcsBlobs) -> None:
        self._connection = connection
        self._blobs = blobs

    def give(self, key: str, ref: ArtifactRef) -> None:
        body = encoded({"key": checked_key(key), "ref": ref.model_dump(mode="json")})
        self._connection.bucket.replace(f"names/{key}/@ref", body)

    def below(self, part: str) -> Iterator[str]:
        """Keys that begin with this part."""
        for facts in self._connection.bucket.listed(f"names/{checked_key(part)}/"):
            yield facts.name.removeprefix("names/").removesuffix("/@ref")

    def uses(self) -> Iterator[NameUse]:
        """Every name that can be read."""
        for facts in self._connection.bucket.listed("names/"):
            key = facts.name.removeprefix("names/").removesuffix("/@ref")
            if (ref := self.given(key)) is not None:
                yield NameUse(key, ref.digest, facts.updated.timestamp(), facts.version)

    def forget(self, use: NameUse) -> bool:
        return self._connection.bucket.remove(f"names/{checked_key(use.key)}/@ref", use.version)

    def given(self, key: str) -> ArtifactRef | None:
        data = self._connection.bucket.read(f"names/{checked_key(key)}/@ref")
        try:
            body = decoded(data, key) if data is not None else {}
            ref = ArtifactRef.parse(body.get("ref"))
        except (ArtifactCorrupt, ContractViolation):
            return None
        return ref if body.get("key") == key and self._blobs.has(ref.digest) else None
