"""The store as one attempt of a provider sees it: its request's inputs, and what it wrote itself."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from contracts.artifacts import ArtifactRef
from contracts.context import ArtifactClient
from contracts.errors import ArtifactMissing


class CopyingStore(ArtifactClient, Protocol):
    """A store that can copy into a directory of the caller's."""

    def fetch_into(self, ref: ArtifactRef, directory: Path) -> Path: ...


class ScopedArtifacts:
    """Implements ``ArtifactClient``. What is not in scope is treated as not there.

    Args:
        readable: refs that may be read; by content, so another ref to the same bytes is as good.
        scratch_dir: where ``fetch`` copies to; its owner removes it. None: the store's own scratch.
    """

    def __init__(self, store: CopyingStore, readable: Iterable[ArtifactRef], scratch_dir: Path | None = None) -> None:
        self._store = store
        self._digests = {ref.digest for ref in readable}
        self._scratch_dir = scratch_dir

    def put(self, source: Path | BinaryIO, media_type: str, metadata: dict[str, Any] | None = None) -> ArtifactRef:
        ref = self._store.put(source, media_type, metadata)
        self._digests.add(ref.digest)
        return ref

    def open(self, ref: ArtifactRef) -> BinaryIO:
        return self._store.open(self._allowed(ref))

    def fetch(self, ref: ArtifactRef) -> Path:
        self._allowed(ref)
        return self._store.fetch(ref) if self._scratch_dir is None else self._store.fetch_into(ref, self._scratch_dir)

    def exists(self, ref: ArtifactRef) -> bool:
        return ref.digest in self._digests and self._store.exists(ref)

    def verify(self, ref: ArtifactRef) -> None:
        self._store.verify(self._allowed(ref))

    def named(self, key: str) -> ArtifactRef | None:
        """What was derived before; from then on it may be read."""
        ref = self._store.named(key)
        if ref is not None:
            self._digests.add(ref.digest)
        return ref

    def name(self, key: str, ref: ArtifactRef) -> None:
        self._store.name(key, self._allowed(ref))

    def _allowed(self, ref: ArtifactRef) -> ArtifactRef:
        if ref.digest not in self._digests:
            raise ArtifactMissing(
                f"{ref.checksum}: expected one of the request's inputs or an own output, got another artifact; "
                "a provider reads only what its request binds: bind it in the workflow"
            )
        return ref
