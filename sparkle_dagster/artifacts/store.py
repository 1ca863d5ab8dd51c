"""What every artifact store does, whatever it stands on: refs checked at the door, typed errors, one commit point.

A kind of store (``local``, ``gcs``) brings the parts: where bytes, manifests and names are. Not here: who decides what
is committed, and how long it is kept (``retention``).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from contracts.artifacts import ArtifactRef
from contracts.base import canonical_json
from contracts.context import Progress
from contracts.errors import ArtifactConflict, ArtifactCorrupt, ArtifactError, ArtifactMissing, ContractViolation
from sparkle_dagster.artifacts import _reading
from sparkle_dagster.artifacts.chain import GenerationChain, RefArea
from sparkle_dagster.artifacts.findings import StoreReport
from sparkle_dagster.artifacts.keys import blob_path, checked_digest, checked_entry, checked_key
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.artifacts.scoped import ScopedArtifacts
from sparkle_dagster.artifacts.uses import BlobUse, NameUse, RefEntry

_NO_DIGEST = "0" * 64


class Blobs(Protocol):
    """Stored bytes by their SHA-256. Digests are checked, bytes are compared before any leaves."""

    def add(self, source: Path | BinaryIO, limit_bytes: int | None = None) -> tuple[str, int]: ...
    def has(self, digest: str) -> bool: ...
    def open_verified(self, digest: str) -> tuple[int, int]: ...
    def check(self, digest: str) -> int: ...
    def uses(self) -> Iterator[BlobUse]: ...
    def remove(self, uses: Iterable[BlobUse]) -> list[BlobUse]: ...
    def copy_out(self, digest: str, directory: Path) -> tuple[Path, int]: ...


class NameTable(Protocol):
    """Names for things derived from content alone: a cache."""

    def give(self, key: str, ref: ArtifactRef) -> None: ...
    def given(self, key: str) -> ArtifactRef | None: ...
    def below(self, part: str) -> Iterator[str]: ...
    def uses(self) -> Iterator[NameUse]: ...
    def forget(self, use: NameUse) -> bool: ...


class ArtifactStore(ABC):
    """One workspace of a store. It cannot name another one.

    Raises (any method): ContractViolation for a bad name or document, else ArtifactError and its kinds.
    """

    workspace: str
    least_grace_seconds: float = 0.0
    """Bytes that were used within this time are never swept: as long as a commit may take where no lock holds it."""
    _blobs: Blobs
    _refs: RefArea
    _chain: GenerationChain
    _names: NameTable

    @property
    @abstractmethod
    def local_root(self) -> Path:
        """Root of the files that a provider's process on this machine reads and writes; it needs nothing else."""

    @abstractmethod
    def stage(self, refs: Iterable[ArtifactRef]) -> None:
        """Have these bytes, and what was derived from them, ready below ``local_root``, for a provider's process."""

    @abstractmethod
    def adopt(self, digests: Iterable[str], sources: Iterable[ArtifactRef] = ()) -> None:
        """Store what a provider's process left below ``local_root``; what is stored already costs a look.

        Args:
            sources: what it read; what it derived from them and named is stored too.
        """

    @property
    @abstractmethod
    def free_bytes(self) -> int | None:
        """What the store's file system has left; None where that has no end."""

    @property
    @abstractmethod
    def mirror(self) -> "ArtifactStore | None":
        """This machine's copies of a store that is elsewhere."""

    @abstractmethod
    def remove_leftovers(self, *, dry_run: bool) -> list[tuple[str, int]]:
        """Private files of dead processes: name and size in bytes."""

    @abstractmethod
    def check(self, *, repair: bool, sources: Iterable[Path], progress: Progress) -> StoreReport:
        """Read everything once and compare; ``fsck`` tells what a repair does."""

    @abstractmethod
    def close(self) -> None:
        """Remove the copies that ``fetch`` made; the store stays usable."""

    @abstractmethod
    def _errors(self, doing: str, place: Path | None = None) -> AbstractContextManager[None]: ...

    @abstractmethod
    def lay_out(self) -> None:
        """Make what a first write needs."""

    @abstractmethod
    def copies_folder(self) -> Path:
        """A directory for copies that lives until ``close``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(
        self,
        source: Path | BinaryIO,
        media_type: str,
        metadata: dict[str, Any] | None = None,
        *,
        limit_bytes: int | None = None,
    ) -> ArtifactRef:
        """Store a regular file, or a stream from where it stands.

        Raises:
            ArtifactError: more than ``limit_bytes``; no regular file; a file that changed while it was read.
        """
        _ref(_NO_DIGEST, 0, media_type, metadata)  # refuse bad arguments before any byte is written
        with self._errors("store the bytes"):
            self.lay_out()
            digest, size_bytes = self._blobs.add(source, limit_bytes)
        return _ref(digest, size_bytes, media_type, metadata)

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """A seekable stream; all bytes were verified before the first one leaves."""
        with self._errors(f"read {ref.checksum}"):
            fd, size_bytes = self._blobs.open_verified(_own(ref))
            try:
                _check_size(ref, size_bytes)
            except ArtifactCorrupt:
                _reading.close(fd)
                raise
            return _reading.stream(fd)

    def fetch(self, ref: ArtifactRef) -> Path:
        """A verified copy, mode 0444, that lives until ``close``."""
        with self._errors(f"copy {ref.checksum}"):
            self.lay_out()
            directory = self.copies_folder()
        return self.fetch_into(ref, directory)

    def fetch_into(self, ref: ArtifactRef, directory: Path) -> Path:
        """As ``fetch``, into a directory of the caller's."""
        with self._errors(f"copy {ref.checksum}", directory):
            path, size_bytes = self._blobs.copy_out(_own(ref), directory)
        _check_size(ref, size_bytes)
        return path

    def exists(self, ref: ArtifactRef) -> bool:
        with self._errors(f"look for {ref.checksum}"):
            return ref.path == blob_path(ref.digest) and self._blobs.has(ref.digest)

    def verify(self, ref: ArtifactRef) -> None:
        """Read all stored bytes and compare."""
        with self._errors(f"read {ref.checksum}"):
            _check_size(ref, self._blobs.check(_own(ref)))

    def named(self, key: str) -> ArtifactRef | None:
        with self._errors(f"look up {key[:200]!r}"):
            return self._names.given(key)

    def name(self, key: str, ref: ArtifactRef) -> None:
        with self._errors(f"name {key[:200]!r}"):
            self.lay_out()
            self._names.give(key, ref)

    def derived_from(self, digest: str) -> dict[str, ArtifactRef]:
        """What is named ``<digest>/...``, by its whole name."""
        with self._errors(f"look up what was made of sha256:{digest}"):
            below = self._names.below(checked_digest(digest))
            return {key: ref for key in below if (ref := self._names.given(key)) is not None}

    def scoped(self, readable: Iterable[ArtifactRef], scratch_dir: Path | None = None) -> ScopedArtifacts:
        """This store for one attempt: it reads ``readable`` and its own outputs, and copies into ``scratch_dir``."""
        return ScopedArtifacts(self, readable, scratch_dir)

    def commit(
        self, key: str, document: dict[str, Any], *, attempt_id: str, expect_generation: int | None = None
    ) -> Manifest:
        """Make ``document`` the newest generation of ``key``; when this returns it is durable.

        Args:
            attempt_id: the same attempt with the same document commits once, however often it is tried.
            expect_generation: the number this commit must become, 1 for the first; None takes the next free one.

        Raises:
            ArtifactConflict: another attempt made the expected generation, or it would leave a gap.
            ArtifactMissing: the document refers to bytes that are not stored.
        """
        with self._errors(f"commit {key[:200]!r}"):
            self.lay_out()
            return self._chain.commit(key, document, attempt_id, expect_generation)

    def read(self, key: str, generation: int | None = None) -> Manifest:
        """The newest manifest of ``key``, or a given generation. Raises: ArtifactMissing, ArtifactCorrupt."""
        with self._errors(f"read {key[:200]!r}"):
            return self._chain.read(key, generation)

    def generations(self, key: str) -> tuple[int, ...]:
        with self._errors(f"list {key[:200]!r}"):
            return self._chain.generations(key)

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        """Committed keys that begin with ``prefix``, sorted."""
        with self._errors(f"list keys {prefix[:200]!r}"):
            return tuple(self._chain.keys(prefix))

    def ref_entries(self, prefix: str = "") -> Iterator[RefEntry]:
        """Every manifest and tombstone of keys that begin with ``prefix``."""
        with self._errors(f"list keys {prefix[:200]!r}"):
            yield from self._refs.entries(prefix)

    def ref_bytes(self, key: str, name: str) -> bytes:
        """A manifest or a tombstone as it is stored. Raises: FileNotFoundError."""
        try:
            with self._errors(f"read {key[:200]!r}"):
                return self._refs.read(checked_key(key), checked_entry(name))
        except ArtifactError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise FileNotFoundError(f"{key}/{name}") from error
            raise

    def adopt_ref(self, key: str, name: str, data: bytes, digests: Iterable[str]) -> None:
        """Store a manifest or tombstone of another store as it is; what it refers to was taken before.

        Raises:
            ArtifactConflict: another one is there.
        """
        with self._errors(f"write {key[:200]!r}"):
            self.lay_out()
            with self._refs.committing(digests) as missing:
                if missing:
                    raise ArtifactMissing(f"{key} {name}: it refers to sha256:{missing[0]}, which is not stored")
                self._refs.prepare(checked_key(key))
                if not self._refs.create(key, checked_entry(name), data) and self._refs.read(key, name) != data:
                    raise ArtifactConflict(f"{key} {name}: another one is there already")

    def has_bytes(self, digest: str) -> bool:
        with self._errors(f"look for sha256:{digest}"):
            return self._blobs.has(digest)

    def check_bytes(self, digest: str) -> int:
        """Read and compare; the size in bytes. Raises: ArtifactMissing, ArtifactCorrupt."""
        with self._errors(f"read sha256:{digest}"):
            return self._blobs.check(digest)

    def take(self, source: "ArtifactStore", digest: str) -> int:
        """Store bytes of another store, compared on both sides; their size in bytes."""
        with source._errors(f"read sha256:{digest}"):
            fd, size_bytes = source._blobs.open_verified(digest)
        with _reading.stream(fd) as stream, self._errors("store the bytes"):
            self.lay_out()
            self._blobs.add(stream)
        return size_bytes

    def blob_uses(self) -> Iterator[BlobUse]:
        """Everything that is stored, with its last use."""
        with self._errors("list what is stored"):
            yield from self._blobs.uses()

    def name_uses(self) -> Iterator[NameUse]:
        with self._errors("list names"):
            yield from self._names.uses()

    def let_commits_finish(self) -> None:
        """Returns when every commit that had begun is visible; those that begin now touch what they refer to."""
        with self._errors("wait for commits"):
            self.lay_out()
            self._refs.let_commits_finish()

    def bury(self, key: str, last: int, tombstone: dict[str, Any]) -> None:
        """Remove all generations of a key up to ``last``; numbers are never given again."""
        with self._errors(f"remove {key[:200]!r}"):
            self._chain.bury(key, last, tombstone)

    def remove_blobs(self, uses: Iterable[BlobUse]) -> list[BlobUse]:
        """Those that were not used since they were listed; gives what was removed."""
        with self._errors("remove stored bytes"):
            return self._blobs.remove(uses)

    def forget(self, use: NameUse) -> bool:
        """Remove a name; False when it was given again since."""
        with self._errors(f"forget {use.key[:200]!r}"):
            return self._names.forget(use)


def _own(ref: ArtifactRef) -> str:
    """The digest; the path is never used to find the bytes, only compared."""
    if ref.path != blob_path(ref.digest):
        raise ArtifactMissing(f"{ref.checksum}: expected path {blob_path(ref.digest)}, got {ref.path}; use put()'s ref")
    return ref.digest


def _check_size(ref: ArtifactRef, size_bytes: int) -> None:
    if ref.size_bytes != size_bytes:
        raise ArtifactCorrupt(
            f"{ref.checksum}: the ref says {ref.size_bytes} bytes, the stored bytes are whole and {size_bytes}; "
            "the ref was changed: take it from its manifest again"
        )


def _ref(digest: str, size_bytes: int, media_type: str, metadata: dict[str, Any] | None) -> ArtifactRef:
    try:
        canonical_json(metadata)
    except (ValueError, TypeError) as error:
        raise ContractViolation(f"metadata: expected JSON values without NaN or infinity; {error}") from error
    return ArtifactRef.parse(
        {
            "path": blob_path(digest),
            "checksum": f"sha256:{digest}",
            "size_bytes": size_bytes,
            "media_type": media_type,
            "metadata": metadata or {},
        }
    )
