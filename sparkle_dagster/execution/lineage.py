"""From a file or a digest back to the generation that made it, and from there to everything it was made from."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import ArtifactError, ArtifactMissing
from contracts.events import NodeRecord
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.execution.definition import Definition, read_definition
from sparkle_dagster.workflow.graph import UPLOAD, Node, Workflow
from sparkle_dagster.workspace import Workspace

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


@dataclass(frozen=True)
class Made:
    """One generation, and what it was made from."""

    manifest: Manifest
    record: NodeRecord
    definition: Definition | None
    """None where it was made before definitions were kept, or was lost."""
    sources: dict[str, "Made"]
    """Node id -> the generation that was read; a source of which no generation fits is left out."""

    @property
    def place(self) -> str:
        return f"{self.manifest.key}@{self.manifest.generation}"

    @property
    def production(self) -> str:
        return self.manifest.key.partition("/")[2]

    def chain(self) -> "list[Made]":
        """What came before it, and itself last; each once."""
        found: dict[str, Made] = {}
        for source in self.sources.values():
            found |= {made.place: made for made in source.chain()}
        return [*found.values(), self]


def digest_in(text: str) -> str:
    """The SHA-256, or the first digits of one, that a file or a text stands for.

    Raises:
        ArtifactMissing: neither a file nor a digest.
    """
    path = Path(text)
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise ArtifactMissing(f"expected a file, or at least 8 digits of a SHA-256, got {text!r}")
    return match[1]


def find_made(workspace: Workspace, digest: str) -> Made:
    """The first generation of the workspace that made an artifact, with all that it was made from.

    Raises:
        ArtifactMissing: nothing in the store's history refers to it.
    """
    holding = [manifest for manifest in _history(workspace) if any(blob.startswith(digest) for blob in manifest.blobs)]
    own = [manifest for manifest in holding if _is_made_in(manifest, digest)]
    if not own:
        raise ArtifactMissing(
            f"sha256:{digest}: expected an artifact of the workspace {workspace.settings.workspace!r}, found none that "
            "was made here; an exported page or summary is rendered anew each time"
        )
    return made_from(workspace, min(own, key=lambda manifest: manifest.committed_at))


def made_from(workspace: Workspace, manifest: Manifest) -> Made:
    """A generation with the generations that it read."""
    record = NodeRecord.parse(manifest.document["record"])
    definition = _definition(workspace, record)
    workflow = definition.workflow(workspace.registry) if definition else None
    sources: dict[str, Made] = {}
    if workflow is not None and record.node_id in {node.id for node in workflow.nodes}:
        node = workflow.node(record.node_id)
        for source in dict.fromkeys([UPLOAD, *(bound.source for bound in node.inputs)]):
            found = _generation_read(workspace, workflow, node, source, record.inputs, manifest)
            if found is not None:
                sources[source] = made_from(workspace, found)
    return Made(manifest, record, definition, sources)


def _generation_read(
    workspace: Workspace,
    workflow: Workflow,
    node: Node,
    source: str,
    inputs: dict[str, str],
    reader: Manifest,
) -> Manifest | None:
    """The newest generation, not younger than its reader, whose values are those that were read.

    What was made in shadow read what was made there too, as far as it was.
    """
    place, _, production = reader.key.partition("/")
    shadow = place.removesuffix(node.asset_key)
    asset = UPLOAD if source == UPLOAD else workflow.node(source).asset_key
    keys = dict.fromkeys([f"{shadow}{asset}/{production}", f"{asset}/{production}"])
    for manifest in (found for key in keys for found in _generations(workspace, key)):
        document = manifest.document
        fits = all(
            inputs.get(bound.request_field)
            == (
                document["data_version"]
                if bound.source_field is None
                else document.get("fields", {}).get(bound.source_field)
            )
            for bound in node.inputs
            if bound.source == source
        )
        if fits and manifest.committed_at <= reader.committed_at:
            return manifest
    return None


def _definition(workspace: Workspace, record: NodeRecord) -> Definition | None:
    if record.definition is None:
        return None
    try:
        return read_definition(workspace.store, record.definition)
    except ArtifactError:
        return None


def _history(workspace: Workspace) -> Iterator[Manifest]:
    """Every result; what is only said about a production is none."""
    for key in workspace.store.keys(""):
        yield from (found for found in _generations(workspace, key) if "record" in found.document)


def _generations(workspace: Workspace, key: str) -> Iterator[Manifest]:
    """Newest first; what cannot be read is left out."""
    for generation in reversed(workspace.store.generations(key)):
        try:
            yield workspace.store.read(key, generation)
        except ArtifactError:
            continue


def _is_made_in(manifest: Manifest, digest: str) -> bool:
    """Whether the generation made it itself, rather than handing it on from what it read or found stored."""
    document = manifest.document
    if document["record"].get("cached_from") or document["record"]["status"] == "passed_through":
        return False
    return any(_checksums(document["result"], digest)) or any(_checksums(document["record"].get("previews"), digest))


def _checksums(value: Any, digest: str) -> Iterator[bool]:
    if isinstance(value, dict):
        if str(value.get("checksum", "")).startswith(f"sha256:{digest}"):
            yield True
        for item in value.values():
            yield from _checksums(item, digest)
    elif isinstance(value, list):
        for item in value:
            yield from _checksums(item, digest)
