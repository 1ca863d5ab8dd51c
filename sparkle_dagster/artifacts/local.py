"""The artifact store on a local disk: the commit protocol behind ``put`` and ``commit``, verified reads.

``put`` returns when the bytes survive a power cut, ``commit`` when the manifest does; a crash anywhere leaves garbage
in ``incoming/`` and nothing else. Not here: retention and sweeping, and who decides what is committed.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from contracts.artifacts import ArtifactRef
from contracts.base import canonical_json
from contracts.errors import ArtifactCorrupt, ArtifactMissing, ContractViolation
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.chain import GenerationChain
from sparkle_dagster.artifacts.disk_errors import typed_errors
from sparkle_dagster.artifacts.keys import Layout, blob_path
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.artifacts.names import Names
from sparkle_dagster.artifacts.scoped import ScopedArtifacts
from sparkle_dagster.artifacts.scratch import Scratch

_NO_DIGEST = "0" * 64


class LocalArtifactStore:
    """One workspace of a store; made again from ``(root, workspace)`` in any process, and pickles as that.

    Raises (any method): ContractViolation for a bad name or document, else ArtifactError and its kinds.
    """

    def __init__(self, root: Path, workspace: str = "main") -> None:
        self.root = Path(root).absolute()
        self.workspace = workspace
        self._layout = Layout(self.root, workspace)
        self._blobs = BlobArea(self._layout)
        self._chain = GenerationChain(self._layout, self._blobs)
        self._names = Names(self._layout, self._blobs)
        self._scratch = Scratch(self._layout.incoming)
        self._is_laid_out = False

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str]]:
        return type(self), (self.root, self.workspace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the copies that ``fetch`` made; the store stays usable."""
        self._scratch.close()

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
        with typed_errors("store the bytes", self.root):
            self._lay_out()
            digest, size_bytes = self._blobs.add(source, limit_bytes)
        return _ref(digest, size_bytes, media_type, metadata)

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """A seekable stream; all bytes were verified before the first one leaves."""
        with typed_errors(f"read {ref.checksum}", self.root):
            return _reading.stream(self._open(ref))

    def fetch(self, ref: ArtifactRef) -> Path:
        """A verified copy, mode 0444, that lives until ``close``."""
        with typed_errors(f"copy {ref.checksum}", self.root):
            self._lay_out()
            directory = self._scratch.directory()
        return self.fetch_into(ref, directory)

    def fetch_into(self, ref: ArtifactRef, directory: Path) -> Path:
        """As ``fetch``, into a directory of the caller's."""
        with typed_errors(f"copy {ref.checksum}", directory):
            path, size_bytes = self._blobs.copy_out(_own(ref), directory)
        _check_size(ref, size_bytes)
        return path

    def exists(self, ref: ArtifactRef) -> bool:
        with typed_errors(f"look for {ref.checksum}", self.root):
            return ref.path == blob_path(ref.digest) and self._blobs.has(ref.digest)

    def verify(self, ref: ArtifactRef) -> None:
        with typed_errors(f"read {ref.checksum}", self.root):
            _reading.close(self._open(ref))

    def named(self, key: str) -> ArtifactRef | None:
        with typed_errors(f"look up {key[:200]!r}", self.root):
            return self._names.given(key)

    def name(self, key: str, ref: ArtifactRef) -> None:
        with typed_errors(f"name {key[:200]!r}", self.root):
            self._lay_out()
            self._names.give(key, ref)

    def scoped(self, readable: Iterable[ArtifactRef], scratch_dir: Path | None = None) -> ScopedArtifacts:
        """This store for one attempt: it reads ``readable`` and its own outputs, and copies into ``scratch_dir``."""
        return ScopedArtifacts(self, readable, scratch_dir)

    def commit(
        self, key: str, document: dict[str, Any], *, attempt_id: str, expect_generation: int | None = None
    ) -> Manifest:
        """Make ``document`` the newest generation of ``key``; when this returns it survives a power cut.

        Args:
            attempt_id: the same attempt with the same document commits once, however often it is tried.
            expect_generation: the number this commit must become, 1 for the first; None takes the next free one.

        Raises:
            ArtifactConflict: another attempt made the expected generation, or it would leave a gap.
            ArtifactMissing: the document refers to bytes that are not stored.
        """
        with typed_errors(f"commit {key[:200]!r}", self.root):
            self._lay_out()
            return self._chain.commit(key, document, attempt_id, expect_generation)

    def read(self, key: str, generation: int | None = None) -> Manifest:
        """The newest manifest of ``key``, or a given generation. Raises: ArtifactMissing, ArtifactCorrupt."""
        with typed_errors(f"read {key[:200]!r}", self.root):
            return self._chain.read(key, generation)

    def generations(self, key: str) -> tuple[int, ...]:
        with typed_errors(f"list {key[:200]!r}", self.root):
            return self._chain.generations(key)

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        """Committed keys that begin with ``prefix``, sorted."""
        with typed_errors(f"list keys {prefix[:200]!r}", self.root):
            return tuple(self._chain.keys(prefix))

    def _lay_out(self) -> None:
        if not self._is_laid_out:
            _durable.make_root(self.root)
            for directory in self._layout.directories():
                _durable.make_directory(directory)
            self._is_laid_out = True

    def _open(self, ref: ArtifactRef) -> int:
        fd, size_bytes = self._blobs.open_verified(_own(ref))
        try:
            _check_size(ref, size_bytes)
        except ArtifactCorrupt:
            _reading.close(fd)
            raise
        return fd


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
