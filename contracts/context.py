"""What a provider is handed when it is built. Protocols only: the platform brings the implementation."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from contracts.artifacts import ArtifactRef


class ArtifactClient(Protocol):
    """The store as a provider sees it: it may read its request's inputs and write outputs.

    Raises (any method): ArtifactMissing, ArtifactCorrupt, NoSpace.
    """

    def put(self, source: Path | BinaryIO, media_type: str, metadata: dict[str, Any] | None = None) -> ArtifactRef:
        """Store the bytes; the same bytes give the same ref, at any root."""
        ...

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """A seekable, verified, read-only stream."""
        ...

    def fetch(self, ref: ArtifactRef) -> Path:
        """A verified read-only file whose name tells nothing of the upload's."""
        ...

    def exists(self, ref: ArtifactRef) -> bool: ...

    def verify(self, ref: ArtifactRef) -> None:
        """Read all bytes and compare. Raises: ArtifactCorrupt, ArtifactMissing."""
        ...

    def named(self, key: str) -> ArtifactRef | None:
        """What ``name`` last gave to ``key``: for things derived from content alone.

        A key that begins with the digest of an input, as ``<digest>/face-track/...``, is known on every machine of a
        shared store; any other only on this one.
        """
        ...

    def name(self, key: str, ref: ArtifactRef) -> None: ...


class Progress(Protocol):
    def __call__(self, done: float, total: float, note: str = "") -> None: ...


def _no_progress(done: float, total: float, note: str = "") -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class ProviderContext:
    """Shared things, injected: a provider reads no environment and knows no directory of its own."""

    logger: logging.Logger
    artifacts: ArtifactClient
    temp_dir: Path
    """Empty, private, removed after the attempt whatever happens."""
    progress: Progress = _no_progress
    models: "dict[str, ModelFile] | None" = None
    """Checkpoints by the names of the tool registry."""


@dataclass(frozen=True)
class ModelFile:
    """A checkpoint as the tool registry names it."""

    path: Path
    sha256: str | None
    licence: str
