"""A production as it stands in the store: every node's newest result and how it came to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from contracts.artifacts import ArtifactRef
from contracts.base import least
from contracts.errors import ArtifactMissing
from contracts.events import NodeRecord, NodeStatus, NodeSummary, RunSummary
from contracts.media import InspectionResult
from contracts.production import Metrics, TaskResult
from contracts.qa import QAReviewResult
from contracts.upload import UploadResult
from sparkle_dagster.execution.contents import contents_of, read_again
from sparkle_dagster.execution.intake import production_spec
from sparkle_dagster.execution.node_run import artifacts_of
from sparkle_dagster.workflow.graph import UPLOAD
from sparkle_dagster.workspace import Workspace

Result = TypeVar("Result", bound=TaskResult)


@dataclass(frozen=True)
class Stage:
    """One asset's newest generation."""

    node_id: str
    asset: str
    generation: int
    result: TaskResult
    record: NodeRecord
    data_version: str


@dataclass(frozen=True)
class Production:
    """All stages that exist, in the workflow's order, ``upload`` first."""

    key: str
    workspace: Workspace
    stages: tuple[Stage, ...]

    @property
    def upload(self) -> UploadResult:
        return next(stage.result for stage in self.stages if isinstance(stage.result, UploadResult))

    def newest(self, kind: type[Result]) -> Result | None:
        """The last stage's result of this contract; None when no node makes one."""
        return next((stage.result for stage in reversed(self.stages) if isinstance(stage.result, kind)), None)

    def inspection(self, ref: ArtifactRef) -> InspectionResult | None:
        """Facts and previews of an artifact that a stage of this production made."""
        for stage in self.stages:
            found = stage.record.previews.get(ref.digest)
            if found is not None:
                return InspectionResult.parse(found)
        return None


def view_production(workspace: Workspace, key: str) -> Production:
    """Read what is committed.

    Raises:
        ArtifactMissing: nothing of this production was ever committed.
    """
    node_ids = {"upload": "upload", **{node.asset_key: node.id for node in workspace.workflow.nodes}}
    stages: list[Stage] = []
    for asset, result_type in workspace.result_types.items():
        try:
            manifest = workspace.store.read(f"{asset}/{key}")
        except ArtifactMissing:
            continue
        document = manifest.document
        stages.append(
            Stage(
                node_id=node_ids[asset],
                asset=asset,
                generation=manifest.generation,
                result=result_type.parse(document["result"]),
                record=NodeRecord.parse(document["record"]),
                data_version=str(document["data_version"]),
            )
        )
    if not stages:
        raise ArtifactMissing(f"expected a production, got {key!r}, of which nothing is stored; see `sparkle status`")
    return Production(key, workspace, tuple(stages))


def summarize(production: Production, failures: Mapping[str, NodeSummary] | None = None, logs: str = "") -> RunSummary:
    """Per-node metrics, artifact map, logs pointer.

    Args:
        failures: node id -> what went wrong, of nodes whose last run failed; they win over older results.
    """
    made = {stage.node_id: stage for stage in production.stages}
    stale = out_of_date(production)
    nodes: list[NodeSummary] = []
    for node_id, asset in _all_nodes(production.workspace):
        failed = (failures or {}).get(node_id)
        stage = made.get(node_id)
        known = _summary(stage, node_id in stale) if stage else NodeSummary(node_id=node_id, asset=asset)
        nodes.append(failed or known)
    review = production.newest(QAReviewResult)
    whole = not failures and not stale and len(made) == len(nodes)
    return RunSummary(
        production=production.key,
        workspace=production.workspace.settings.workspace,
        title=production.upload.title if made else "",
        verdict=review.verdict.value if review and whole else "",
        fidelity=least(*(stage.result.fidelity for stage in production.stages)) if made else None,
        nodes=tuple(nodes),
        artifacts={
            f"{stage.asset}.{name}": ref
            for stage in production.stages
            for name, ref in artifacts_of(stage.result).items()
        },
        run_ids=tuple(dict.fromkeys(stage.record.run_id for stage in production.stages)),
        logs=logs,
    )


def out_of_date(production: Production) -> frozenset[str]:
    """Nodes made from a result that has been made again since with other content, and all that follow from them."""
    if not production.stages or production.stages[0].node_id != UPLOAD:
        return frozenset()
    spec = production_spec(production.upload, production.key, production.workspace)
    contents = {stage.node_id: contents_of(stage.result) for stage in production.stages}
    records = {stage.node_id: stage.record for stage in production.stages}
    stale: set[str] = set()
    for node in production.workspace.workflow.nodes:
        if node.id not in records:
            continue
        sources = {UPLOAD, *(bound.source for bound in node.inputs)}
        before = records[node.id].inputs
        if (
            stale.intersection(node.data_upstream)
            or not sources <= contents.keys()
            or before != read_again(node, contents, spec, before)
        ):
            stale.add(node.id)
    return frozenset(stale)


def _all_nodes(workspace: Workspace) -> list[tuple[str, str]]:
    return [("upload", "upload"), *((node.id, node.asset_key) for node in workspace.workflow.nodes)]


def _summary(stage: Stage, is_out_of_date: bool) -> NodeSummary:
    metrics = getattr(stage.result, "metrics", None)
    return NodeSummary(
        node_id=stage.node_id,
        asset=stage.asset,
        status=stage.record.status or NodeStatus.SUCCEEDED,
        generation=stage.generation,
        out_of_date=is_out_of_date,
        provider=stage.record.provider,
        fidelity=stage.result.fidelity,
        latency_ms=stage.record.latency_ms,
        retries=max(len(stage.record.attempts) - 1, 0),
        run_id=stage.record.run_id,
        metrics=metrics.model_dump(mode="json", exclude_none=True) if isinstance(metrics, Metrics) else {},
        notes=stage.result.notes,
        data_version=stage.data_version,
        reason=stage.record.reason,
        cached_from=stage.record.cached_from,
        trace=stage.record.trace,
        attempts=stage.record.attempts,
    )
