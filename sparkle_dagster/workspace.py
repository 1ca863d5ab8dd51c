"""One workspace as this process sees it: settings, tool registry, workflow, store. Loaded once, then read-only."""

import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from contracts.errors import ConfigError
from contracts.events import NodeRecord
from contracts.production import TaskResult
from contracts.upload import UploadResult
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.execution.bucket_inbox import BucketInbox
from sparkle_dagster.execution.definition import Definition, define
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.stores import bucket_place
from sparkle_dagster.settings import Settings, load_settings
from sparkle_dagster.workflow.graph import Workflow
from sparkle_dagster.workflow.load import load_workflow


@dataclass(frozen=True)
class Workspace:
    """Everything that a definition, a step or a command needs to know of its installation."""

    settings: Settings
    registry: ProviderRegistry
    workflow: Workflow

    @cached_property
    def store(self) -> ArtifactStore:
        return self.registry.store()

    @cached_property
    def definition(self) -> Definition:
        """Workflow, registry slice and contract versions as one document with its digest."""
        return define(self.workflow, self.registry)

    @property
    def inbox(self) -> Path:
        return self.settings.resolve(self.registry.settings.uploads.inbox)

    @cached_property
    def bucket_inbox(self) -> BucketInbox | None:
        """The watched folder of a bucket; None where uploads arrive on this machine only."""
        uploads, store = self.registry.settings.uploads, self.registry.settings.store
        if uploads.kind == "local":
            return None
        place = bucket_place(store, uploads.bucket, uploads.prefix)
        return BucketInbox(place, self.inbox, max_bytes=uploads.max_bytes, budget_seconds=uploads.tick_s)

    @property
    def presenter(self) -> Path:
        """The face when an upload brings none."""
        return self.settings.resolve(self.registry.settings.presenter)

    @property
    def key_prefix(self) -> list[str]:
        """Asset keys of the workspace ``main`` have no prefix."""
        return [] if self.settings.workspace == "main" else [self.settings.workspace]

    @property
    def result_types(self) -> dict[str, type[TaskResult]]:
        """Asset name -> contract of its result, in the order they are made."""
        nodes = {node.asset_key: node.task.result_type for node in self.workflow.nodes}
        return {"upload": UploadResult, **nodes}

    def read_document(self, asset: str, production: str, generation: int | None = None) -> dict[str, Any]:
        """A committed document ``{result, record, data_version}``. Raises: ArtifactMissing, ArtifactCorrupt."""
        return self.store.read(f"{asset}/{production}", generation).document

    def read_result(self, asset: str, production: str) -> dict[str, Any]:
        """The newest committed result, as its document."""
        result: dict[str, Any] = self.read_document(asset, production)["result"]
        return result

    def read_record(self, asset: str, production: str) -> NodeRecord:
        """How the newest committed result came to be."""
        return NodeRecord.parse(self.read_document(asset, production)["record"])


def load_workspace(start: Path | None = None) -> Workspace:
    """Read the configuration that holds for ``start`` (default: the working directory).

    Raises:
        ConfigError: with file and line.
    """
    settings = load_settings(start)
    if str(settings.project) not in sys.path:
        sys.path.append(str(settings.project))  # where `use: "my_module:MyProvider"` finds a module of the user's
    registry = ProviderRegistry.from_config(settings.project / "configs/tool_registry.yaml", settings=settings)
    workflow = load_workflow(_workflow_file(settings.project / "configs/pipeline"), registry.tasks)
    return Workspace(settings, registry, workflow)


def _workflow_file(folder: Path) -> Path:
    """``workflow.yaml`` or, the same document, ``workflow.json``."""
    found = [path for path in (folder / "workflow.yaml", folder / "workflow.json") if path.is_file()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "neither"
        raise ConfigError(f"expected one of workflow.yaml and workflow.json, found {names}", file="configs/pipeline")
    return found[0]


@cache
def this_workspace() -> Workspace:
    """The workspace of this process, loaded at first use."""
    return load_workspace()
