"""The whole definition that results are made under: workflow, its slice of the tool registry, contract versions.

One canonical document, so one digest; it is stored as an artifact that every manifest made under it refers to. Secrets
and ``${NAME}`` stand as they were written: the same files give the same digest on every machine.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.base import canonical_json, digest_of
from sparkle_dagster.artifacts.keys import blob_path
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.registry.provider_registry import INSPECTION, ProviderRegistry
from sparkle_dagster.workflow.graph import Workflow
from sparkle_dagster.workflow.load import load_workflow, workflow_document


@dataclass(frozen=True)
class Definition:
    """A definition as one document of JSON values."""

    document: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical document, 64 hex digits; also of its stored bytes."""
        return digest_of(self.document)

    def workflow(self, registry: ProviderRegistry) -> Workflow:
        """The workflow as it was, checked against the contracts of today.

        Raises:
            ConfigError: it names what is not installed any more, or what contracts have no longer.
        """
        document = self.document["workflow"]
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"definition-{self.digest[:16]}.json"
            path.write_text(json.dumps({**document, "nodes": list(document["nodes"].values())}), encoding="utf-8")
            return load_workflow(path, registry.tasks)


def define(workflow: Workflow, registry: ProviderRegistry) -> Definition:
    """Today's definition."""
    capabilities = sorted({*(node.capability for node in workflow.nodes), INSPECTION})
    settings = registry.config.registry
    return Definition(
        {
            "workflow": workflow_document(workflow.spec),
            "registry": {
                # What runs in shadow makes nothing that is delivered.
                name: settings.capabilities[name].model_dump(mode="json", exclude={"shadow"})
                for name in capabilities
            },
            "providers": {name: _providers(registry, name, workflow) for name in capabilities},
            "models": {
                name: {"sha256": model.sha256, "licence": model.licence} for name, model in settings.models.items()
            },
            "profiles": {name: profile.model_dump(mode="json") for name, profile in registry.profiles.items()},
            "contracts": _contracts(workflow),
        }
    )


def store_definition(store: ArtifactStore, definition: Definition) -> ArtifactRef:
    """Keep the document; the same one is kept once."""
    body = canonical_json(definition.document)
    ref = ArtifactRef(
        path=blob_path(definition.digest),
        checksum=f"sha256:{definition.digest}",
        size_bytes=len(body),
        media_type="application/json",
    )
    return ref if store.exists(ref) else store.put(io.BytesIO(body), ref.media_type)


def read_definition(store: ArtifactStore, ref: ArtifactRef) -> Definition:
    """Raises: ArtifactMissing, ArtifactCorrupt."""
    with store.open(ref) as stream:
        return Definition(json.load(stream))


def changes(before: Definition, after: Definition) -> list[str]:
    """What differs, a line each: ``workflow.nodes.lipsync.params.no_face_policy: 'fail' -> 'hold_last'``."""
    return list(_changes("", before.document, after.document))


def _changes(place: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        names: list[str] = sorted({*before, *after})
        for name in names:
            yield from _changes(f"{place}.{name}".lstrip("."), before.get(name), after.get(name))
    elif before != after:
        yield f"{place}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _providers(registry: ProviderRegistry, capability: str, workflow: Workflow) -> dict[str, Any]:
    """Those of the list, and those that a node pins."""
    pinned = [node.spec.provider for node in workflow.nodes if node.capability == capability and node.spec.provider]
    listed = registry.config.registry.capabilities[capability].providers
    names = dict.fromkeys([*listed, *(name.partition("/")[2] for name in pinned)])
    found = {name: registry.candidates(capability, enabled=True, provider=name)[0] for name in names}
    return {
        name: {
            "class": candidate.target,
            "version": candidate.version,
            "options": registry.config.options_as_written(capability, name),
        }
        for name, candidate in found.items()
    }


def _contracts(workflow: Workflow) -> dict[str, int]:
    tasks = [node.task for node in workflow.nodes]
    kinds = [kind for task in tasks for kind in (task.request_type, task.result_type)]
    return {kind.__name__: kind.VERSION for kind in kinds}
