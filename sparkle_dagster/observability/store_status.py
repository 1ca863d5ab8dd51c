"""A production's status as far as its stored results tell: for those that no event told of, and for pages on disk."""

from dataclasses import dataclass, replace

from contracts.base import least
from contracts.events import NodeStatus, NodeSummary
from contracts.production import TaskResult
from contracts.qa import QAReviewResult
from contracts.status import NodeState, ProductionStatus
from contracts.upload import UploadResult
from sparkle_dagster.observability.production_view import Production
from sparkle_dagster.workspace import Workspace

MADE = frozenset({NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.PASSED_THROUGH})
"""Last words after which there is a result."""


@dataclass(frozen=True)
class Facts:
    """What the store knows of a production beyond its events; empty values change nothing."""

    title: str = ""
    verdict: str = ""
    duration_seconds: float = 0.0


def status_from_store(view: Production) -> ProductionStatus:
    """A production of which only the results are known."""
    facts = Facts()
    for stage in view.stages:
        facts = facts_of(facts, stage.result)
    nodes = {
        stage.node_id: NodeState(
            node_id=stage.node_id,
            status=stage.record.status,
            provider=stage.record.provider,
            attempt=max(len(stage.record.attempts), 1),
            run_id=stage.record.run_id,
            started_at=stage.record.started_at,
            latency_ms=stage.record.latency_ms,
            queue_ms=stage.record.queue_ms,
            fidelity=stage.result.fidelity,
        )
        for stage in view.stages
    }
    order = ["upload", *(node.id for node in view.workspace.workflow.nodes), "report"]
    return ProductionStatus(
        production=view.key,
        workspace=view.workspace.settings.workspace,
        title=facts.title,
        state="succeeded" if len(nodes) >= len(order) - 1 else "failed",
        run_id=view.stages[-1].record.run_id,
        updated_at=view.stages[-1].record.started_at,
        duration_seconds=facts.duration_seconds,
        verdict=facts.verdict,
        fidelity=least(*(node.fidelity for node in nodes.values() if node.fidelity)),
        nodes=tuple(nodes.get(node_id, NodeState(node_id=node_id)) for node_id in order),
    )


def unfinished_of(status: ProductionStatus, workspace: Workspace) -> dict[str, NodeSummary]:
    """Nodes whose newest run did not end well or has not ended, as a summary has them."""
    assets = {"upload": "upload", **{node.id: node.asset_key for node in workspace.workflow.nodes}}
    return {
        node.node_id: NodeSummary(
            node_id=node.node_id,
            asset=assets[node.node_id],
            status=node.status,
            provider=node.provider,
            latency_ms=node.latency_ms,
            run_id=node.run_id,
            error=f"{node.error}: {node.message}" if node.error else "",
        )
        for node in status.nodes
        if node.node_id in assets and node.status is not None and node.status not in MADE
    }


def facts_of(facts: Facts, result: TaskResult) -> Facts:
    """With what a result adds."""
    if isinstance(result, UploadResult):
        media = result.audio_track.media
        return replace(facts, title=result.title, duration_seconds=media.duration_seconds if media else 0.0)
    if isinstance(result, QAReviewResult):
        return replace(facts, verdict=result.verdict.value)
    return facts
