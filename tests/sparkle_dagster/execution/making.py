"""Productions of a cheap project, made in this process without Dagster: intake, nodes, commits."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.events import NodeEvent, NodeRecord
from contracts.upload import UploadResult
from sparkle_dagster.execution.arrivals import consider
from sparkle_dagster.execution.commit import commit_outcome
from sparkle_dagster.execution.definition import store_definition
from sparkle_dagster.execution.inbox import InboxGroup
from sparkle_dagster.execution.intake import Admission, admit, production_spec
from sparkle_dagster.execution.node_run import NodeContext, code_version_of, run_node
from sparkle_dagster.execution.switches import NodeSwitches
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.cheap import second_of_sound
from tests.project import Project

NODES = ("script", "lipsync", "video", "qa")


@dataclass
class Maker:
    """Loads the configuration anew for every run, as a new process would."""

    project: Project
    events: list[NodeEvent] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        sys.modules.pop("cheap", None)
        return load_workspace(self.project.root)

    @contextmanager
    def changed(self, file: str, old: str, new: str) -> Iterator[None]:
        """A configuration file, or the providers, edited for a while."""
        self.project.edit(file, old, new)
        try:
            yield
        finally:
            self.project.edit(file, new, old)

    def take_in(self, number: int = 0, face: Path | None = None, options: str = "") -> str:
        """A new upload; its production key."""
        workspace = self.workspace
        drop = workspace.inbox / f"drop-{len(self.events)}-{number}"
        drop.mkdir(parents=True)
        files = {"audio": second_of_sound(drop / "voice.wav", number)}
        if face is not None:
            files["face"] = drop / "voice.png"
            files["face"].write_bytes(face.read_bytes())
        if options:
            files["options"] = drop / "voice.yaml"
            files["options"].write_text(options)
        arrival = consider(workspace, InboxGroup("voice", files), [])
        assert arrival is not None
        key = arrival.production_key
        outcome = admit(Admission(key, arrival.files, "run", "1"), workspace)
        commit_outcome(workspace.store, "upload", key, outcome, "upload")
        return key

    def make(self, production: str, nodes: Iterable[str] = NODES, **switches: Any) -> dict[str, NodeRecord]:
        """Run these nodes in order; node id -> its record."""
        return self.make_in(self.workspace, production, nodes, **switches)

    def make_in(
        self, workspace: Workspace, production: str, nodes: Iterable[str] = NODES, **switches: Any
    ) -> dict[str, NodeRecord]:
        """As ``make``, with a configuration that was loaded before."""
        return {node_id: self._make(workspace, production, node_id, NodeSwitches(**switches)) for node_id in nodes}

    def _make(self, workspace: Workspace, production: str, node_id: str, switches: NodeSwitches) -> NodeRecord:
        node = workspace.workflow.node(node_id)
        upload = UploadResult.parse(workspace.read_result("upload", production))
        assets = {other.id: other for other in workspace.workflow.nodes}
        results = {
            source: assets[source].task.result_type.parse(workspace.read_result(assets[source].asset_key, production))
            for source in node.data_upstream
        }
        context = NodeContext(
            production=production_spec(upload, production, workspace),
            store=workspace.store,
            run_id="run",
            code_version=code_version_of(node, workspace.registry.configured(node.capability, node.spec.provider)),
            definition=store_definition(workspace.store, workspace.definition),
            emit=self.events.append,
            progress=lambda done, total, note: None,
            logger=logging.getLogger("node"),
        )
        outcome = run_node(node, upload, results, workspace.registry, context, switches)
        commit_outcome(workspace.store, node.asset_key, production, outcome, f"{node_id}-{len(self.events)}")
        return outcome.record
