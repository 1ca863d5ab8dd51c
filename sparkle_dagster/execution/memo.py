"""Results that need not be made again: found by a key over all that decides them, in the whole history of a workspace.

The key of a candidate covers the node, the contracts it speaks, the provider's class, version and options, the bytes of
its weights, and the digest of every value that it is given. A provider is given nothing else
(``ProviderCandidate.shown``, ``TaskResult.content``), so nothing else can change what it makes. One that is not
deterministic is keyed to its production as well. The pointer of a key is written after the manifest it points to.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.base import canonical_json, digest_of
from contracts.errors import ArtifactError, ContractViolation
from contracts.events import NodeRecord, NodeStatus
from contracts.media import InspectionResult
from contracts.production import ProductionSpec
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.execution.contents import Contents, what_is_read
from sparkle_dagster.registry.artifact_refs import find_refs
from sparkle_dagster.registry.attempts import Stored
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.fingerprint import Fingerprint
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workflow.graph import Node

REMEMBERED = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED})


@dataclass(frozen=True)
class Keyed:
    """One candidate of a node in one production: what would decide its result."""

    fingerprint: Fingerprint
    inputs: dict[str, str]
    """Request field -> digest of what it is given."""
    key: str


def keyed(
    node: Node,
    candidate: ProviderCandidate,
    contents: Mapping[str, Contents],
    production: ProductionSpec,
    registry: ProviderRegistry,
) -> Keyed:
    """The key of a candidate; ``contents`` are of what the node binds, by node id, with ``upload``."""
    found = registry.fingerprint(candidate)
    inputs = what_is_read(node, contents, production, candidate.sees)
    return Keyed(found, inputs, memo_key(node, found, inputs, production))


def memo_key(node: Node, found: Fingerprint, inputs: Mapping[str, str], production: ProductionSpec) -> str:
    """64 hex digits; equal keys stand for results of which either may stand for the other.

    Args:
        inputs: as ``contents.what_is_read`` of the provider's own view.
    """
    task = node.task
    contracts = {kind.__name__: kind.VERSION for kind in (task.request_type, task.result_type)}
    only_here = None if found.deterministic else production.part("identity")
    return digest_of(
        {"node": node.id, "contracts": contracts, "provider": found.document, "inputs": inputs, "only_in": only_here}
    )


def pointer_key(node_id: str, key: str) -> str:
    """The name in the store under which the place of a result is kept."""
    return f"memo/{node_id}/{key}"


def remember(store: ArtifactStore, node_id: str, key: str, place: str, generation: int) -> None:
    """Point ``key`` at a committed generation; the last writer wins, each pointer is whole."""
    body = canonical_json({"key": place, "generation": generation})
    store.name(pointer_key(node_id, key), store.put(io.BytesIO(body), "application/json"))


def find_place(store: ArtifactStore, node: Node, key: str) -> Manifest | None:
    """The generation that holds the result of a key; None when there is none, or anything of it is gone or damaged."""
    ref = store.named(pointer_key(node.id, key))
    if ref is None:
        return None
    try:
        with store.open(ref) as stream:
            pointer: dict[str, Any] = json.load(stream)
        manifest = store.read(pointer["key"], pointer["generation"])
        record = NodeRecord.parse(manifest.document["record"])
        result = node.task.result_type.parse(manifest.document["result"])
        inspected = [InspectionResult.parse(found) for found in record.previews.values()]
    except (ArtifactError, ContractViolation, KeyError, ValueError):
        return None
    is_whole = record.memo_key == key and all(store.exists(ref) for ref in find_refs([result, *inspected]))
    return manifest if is_whole else None


def find(store: ArtifactStore, node: Node, key: str) -> Stored | None:
    """The stored result of a key, as the registry takes it in place of an attempt."""
    manifest = find_place(store, node, key)
    if manifest is None:
        return None
    record = NodeRecord.parse(manifest.document["record"])
    result = node.task.result_type.parse(manifest.document["result"])
    return Stored(result, record.previews, record.cached_from or f"{manifest.key}@{manifest.generation}")
