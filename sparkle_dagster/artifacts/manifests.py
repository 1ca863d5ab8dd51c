"""What is committed under a key: one document, its place in the chain, and a checksum over itself."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from pydantic import Field

from contracts.base import Contract, canonical_json, digest_of
from contracts.errors import ArtifactCorrupt, ContractViolation

_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})")
_SELF = "self_checksum"
_LOST = "lost"


class Manifest(Contract):
    """One generation of a key. Order comes from ``generation`` alone."""

    workspace: str
    key: str
    generation: int = Field(ge=1, description="1 for the first; no number is left out.")
    document: dict[str, Any] = Field(description="JSON values.")
    attempt_id: str = Field(min_length=1, description="Who committed; makes a repeated commit harmless.")
    blobs: tuple[str, ...] = Field(default=(), description="Digests of the stored bytes that the document refers to.")
    committed_at: str = Field(description="ISO 8601, UTC, by the writer's clock; information, never used for order.")

    def is_same_commit(self, other: "Manifest") -> bool:
        same_attempt = self.attempt_id == other.attempt_id
        return same_attempt and canonical_json(self.document) == canonical_json(other.document)


def plain_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document as a reader will get it back.

    Raises:
        ContractViolation: NaN, infinity, a key that is no text, or anything that JSON cannot hold.
    """
    try:
        for value in _walk(document):
            if isinstance(value, dict) and not all(isinstance(key, str) for key in cast(dict[Any, Any], value)):
                raise ValueError("expected text as keys")
        return json.loads(canonical_json(document))
    except (ValueError, TypeError, RecursionError) as error:
        raise ContractViolation(f"document: expected JSON values without NaN or infinity; {error}") from error


def blobs_of(document: dict[str, Any]) -> tuple[str, ...]:
    """Digests of every ``checksum: sha256:...`` in the document, sorted."""
    found: set[str] = set()
    for value in _walk(document):
        if isinstance(value, dict):
            match = _CHECKSUM.fullmatch(str(cast(dict[str, Any], value).get("checksum", "")))
            if match:
                found.add(match[1])
    return tuple(sorted(found))


def sizes_of(document: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Digest and size in bytes of every ref in the document."""
    for value in _walk(document):
        if isinstance(value, dict):
            ref = cast(dict[str, Any], value)
            match, size_bytes = _CHECKSUM.fullmatch(str(ref.get("checksum", ""))), ref.get("size_bytes")
            if match and isinstance(size_bytes, int):
                yield match[1], size_bytes


def lost_marker(workspace: str, key: str, generation: int, why: str) -> bytes:
    """Stands where a manifest was that no longer can be read, so that an older one never comes back silently."""
    return encoded({"workspace": workspace, "key": key, "generation": generation, _LOST: why})


def why_lost(body: dict[str, Any]) -> str | None:
    """What ``lost_marker`` was told; None of a manifest."""
    return body.get(_LOST)


def _walk(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, dict):
        for item in cast(dict[object, object], value).values():
            yield from _walk(item)
    elif isinstance(value, list | tuple):
        for item in cast(list[object], value):
            yield from _walk(item)


def encoded(body: dict[str, Any]) -> bytes:
    """Canonical JSON with a checksum over all the rest."""
    return canonical_json({**body, _SELF: f"sha256:{digest_of(body)}"})


def decoded(data: bytes, what: str) -> dict[str, Any]:
    """The body of ``encoded``.

    Args:
        what: names the document in the error.

    Raises:
        ArtifactCorrupt: not what was written.
    """
    try:
        body: dict[str, Any] = json.loads(data)
        told = body.pop(_SELF)
        found = f"sha256:{digest_of(body)}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactCorrupt(f"{what}: expected a document with its checksum, got something else") from error
    if told != found:
        raise ArtifactCorrupt(f"{what}: expected checksum {told}, got {found}")
    return body
