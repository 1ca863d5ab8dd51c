"""Runs in shadow: a candidate, or a whole second workflow, on what a production was made from, beside what delivers.

A shadow begins after what it is compared with was committed, writes below keys of its own
(``shadow.<node>.<candidate>.<asset>/<production>``), and tells nobody's sinks. What is owed is found in the store, so
nothing has to be remembered between processes. Not here: when there is room for it (``defs``), what follows from many
comparisons (``shadow_report``).
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.base import digest_of, least
from contracts.errors import ArtifactMissing, ContractViolation, SparkleError
from contracts.events import NodeEvent, NodeRecord
from contracts.production import TaskResult
from contracts.qa import QAReviewResult
from contracts.shadow import ComparedSide, ShadowComparison
from contracts.upload import UploadResult
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.execution.commit import commit_outcome
from sparkle_dagster.execution.definition import define, store_definition
from sparkle_dagster.execution.intake import production_spec
from sparkle_dagster.execution.node_run import NodeContext, artifacts_of, code_version_of, run_node
from sparkle_dagster.execution.switches import NodeSwitches
from sparkle_dagster.registry.candidates import NO_OP, ProviderCandidate
from sparkle_dagster.workflow.graph import UPLOAD, Node, Workflow
from sparkle_dagster.workspace import Workspace

NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class Shadow:
    """What runs beside: some nodes of a workflow, with one provider exchanged or as they are declared."""

    key: str
    """First part of its keys in the store."""
    workflow: Workflow
    nodes: tuple[Node, ...]
    """Those that it makes, in order; what they read besides is the production's own."""
    candidate: ProviderCandidate | None = None
    """Of the first node; None where a whole workflow runs."""

    @property
    def name(self) -> str:
        return self.key.removeprefix("shadow.").removeprefix("shadow-")

    @property
    def compared(self) -> tuple[Node, ...]:
        """Nodes whose latency and failures count."""
        return self.nodes if self.candidate is None else self.nodes[:1]


def candidate_shadows(workspace: Workspace) -> list[Shadow]:
    """One for each provider under ``shadow:`` of the tool registry and each node that it could make.

    The nodes that follow from it are made as well: what it is worth is measured by the review at the end.
    """
    found: list[Shadow] = []
    for node in workspace.workflow.nodes:
        following = _following(workspace.workflow, node)
        for candidate in workspace.registry.shadows(node.capability):
            found.append(
                Shadow(f"shadow.{node.id}.{candidate.name}", workspace.workflow, (node, *following), candidate)
            )
    return found


def workflow_shadow(workflow: Workflow) -> Shadow:
    """A whole second definition; only the upload is shared."""
    return Shadow(f"shadow-workflow.{workflow.name}", workflow, workflow.nodes)


def owed(workspace: Workspace, shadow: Shadow) -> Iterator[str]:
    """Finished productions that it was not compared on, as both are now; none while the candidate cannot run here."""
    store, node, last = workspace.store, shadow.nodes[0], shadow.nodes[-1]
    if shadow.candidate is None or workspace.registry.unavailable(shadow.candidate, node.spec.lane) is not None:
        return
    for key in store.keys(f"{node.asset_key}/"):
        production = key.partition("/")[2]
        if not store.generations(f"{last.asset_key}/{production}"):
            continue
        manifest = store.read(key)
        record = NodeRecord.parse(manifest.document["record"])
        if record.provider in {NO_OP, shadow.candidate.name} or not record.conditions_met:
            continue
        known = _comparison(workspace, shadow, production)
        if known is None or known.of != _state(workspace, shadow, manifest):
            yield production


def comparisons(workspace: Workspace, shadow_key: str) -> Iterator[ShadowComparison]:
    """The newest of each production. Raises: ArtifactCorrupt."""
    for key in workspace.store.keys(f"{shadow_key}/"):
        yield ShadowComparison.parse(workspace.store.read(key).document["comparison"])


def comparison_of_run(workspace: Workspace, production: str, run_id: str) -> ShadowComparison | None:
    """What a run found; None where it ended before it had compared."""
    for prefix in ("shadow.", "shadow-"):
        for key in workspace.store.keys(prefix):
            if key.endswith(f"/{production}"):
                manifest = workspace.store.read(key)
                if manifest.attempt_id == run_id:
                    return ShadowComparison.parse(manifest.document["comparison"])
    return None


def run_shadow(
    workspace: Workspace,
    shadow: Shadow,
    production: str,
    *,
    run_id: str,
    logger: logging.Logger,
    stop: threading.Event | None = None,
) -> ShadowComparison:
    """Make the nodes of a shadow for one production, and keep the comparison. A failure of the shadow is a finding.

    Args:
        stop: set it from another thread to end at once; AttemptStopped is raised then, and nothing was compared.

    Raises:
        ArtifactMissing: the production is not there, or not finished.
    """
    return _ShadowRun(workspace, shadow, production, run_id, logger, stop).compared()


@dataclass
class _ShadowRun:
    workspace: Workspace
    shadow: Shadow
    production: str
    run_id: str
    logger: logging.Logger
    stop: threading.Event | None
    error: str = ""
    failed_attempts: int = 0
    """Of the node that ended the shadow."""
    was_applicable: bool = True
    results: dict[str, TaskResult] = field(default_factory=dict[str, TaskResult])
    """By node id: what the shadow's nodes read."""

    def compared(self) -> ShadowComparison:
        workspace, shadow = self.workspace, self.shadow
        upload = UploadResult.parse(workspace.read_result(UPLOAD, self.production))
        delivering = {node.id: self._primary(node) for node in workspace.workflow.nodes}
        if shadow.candidate is not None:
            self.results = {node_id: result for node_id, (result, _, _) in delivering.items()}
            for node in shadow.nodes:
                self.results.pop(node.id)
        made = list(self._made(upload))
        candidate = _side(made, [node.id for node in shadow.compared], self.failed_attempts)
        theirs = [(node, *delivering[node.id][:2]) for node in self._nodes_of_primary()]
        first = delivering[shadow.nodes[0].id][2] if shadow.candidate else None
        comparison = ShadowComparison(
            shadow=shadow.name,
            production=self.production,
            of=_state(workspace, shadow, first) if first else digest_of(shadow.workflow.definition_digest),
            ended="compared" if not self.error else "failed" if self.was_applicable else NOT_APPLICABLE,
            error=self.error,
            primary=_side(theirs, [node.id for node in self._compared_of_primary()]),
            candidate=candidate,
        )
        document = {"comparison": comparison.model_dump(mode="json")}
        workspace.store.commit(f"{shadow.key}/{self.production}", document, attempt_id=self.run_id)
        return comparison

    def _nodes_of_primary(self) -> Sequence[Node]:
        return self.shadow.nodes if self.shadow.candidate else self.workspace.workflow.nodes

    def _compared_of_primary(self) -> Sequence[Node]:
        return self.shadow.compared if self.shadow.candidate else self.workspace.workflow.nodes

    def _primary(self, node: Node) -> tuple[TaskResult, NodeRecord, Manifest]:
        manifest = self.workspace.store.read(f"{node.asset_key}/{self.production}")
        result = node.task.result_type.parse(manifest.document["result"])
        return result, NodeRecord.parse(manifest.document["record"]), manifest

    def _made(self, upload: UploadResult) -> Iterator[tuple[Node, TaskResult, NodeRecord]]:
        """The shadow's own results; ends early at the first that fails."""
        workspace, shadow = self.workspace, self.shadow
        ref = store_definition(workspace.store, define(shadow.workflow, workspace.registry))
        for node in shadow.nodes:
            is_candidate = shadow.candidate is not None and node is shadow.nodes[0]
            pinned = shadow.candidate.name if shadow.candidate and is_candidate else None
            context = NodeContext(
                production=production_spec(upload, self.production, workspace),
                store=workspace.store,
                run_id=self.run_id,
                code_version=code_version_of(node, workspace.registry.configured(node.capability, node.spec.provider)),
                definition=ref,
                emit=_tell_nobody,
                progress=lambda _done, _total, _note: None,
                logger=self.logger,
                stop=self.stop,
            )
            read = {source: self.results[source] for source in node.data_upstream}
            try:
                outcome = run_node(
                    node, upload, read, workspace.registry, context, NodeSwitches(provider=pinned, force=is_candidate)
                )
            except SparkleError as error:
                self.error = f"{node.id}: {type(error).__name__}: {error}"
                trace = getattr(error, "trace", ())
                self.failed_attempts = len(getattr(error, "attempts", ()))
                self.was_applicable = not (is_candidate and any(item.outcome == NOT_APPLICABLE for item in trace))
                self.logger.warning("in shadow %s", self.error)
                return
            key = f"{shadow.key}.{node.asset_key}"
            commit_outcome(workspace.store, key, self.production, outcome, f"{self.run_id}:{node.id}")
            self.results[node.id] = outcome.result
            self.logger.info("in shadow %s: %s by %s", node.id, outcome.record.status, outcome.record.provider)
            yield node, outcome.result, outcome.record


def _side(
    made: Sequence[tuple[Node, TaskResult, NodeRecord]], compared: Sequence[str], failed: int = 0
) -> ComparedSide:
    records = [record for node, _, record in made if node.id in compared]
    good = [attempt for record in records for attempt in record.attempts if not attempt.error]
    was_measured = len(records) == len(compared) and all(record.attempts for record in records)
    review = next((result for _, result, _ in reversed(made) if isinstance(result, QAReviewResult)), None)
    return ComparedSide(
        providers={node.id: record.provider for node, _, record in made},
        latency_ms=sum(attempt.latency_ms for attempt in good) if was_measured else None,
        failed_attempts=failed + sum(bool(attempt.error) for record in records for attempt in record.attempts),
        fidelity=least(*(result.fidelity for _, result, _ in made)) if made else None,
        verdict=review.verdict.value if review else "",
        checks=tuple(check.model_copy(update={"evidence": ()}) for check in review.checks) if review else (),
        delivered={
            f"{node.asset_key}.{name}": ref for node, result, _ in made for name, ref in artifacts_of(result).items()
        },
    )


def _following(workflow: Workflow, node: Node) -> tuple[Node, ...]:
    """Nodes that read it, or what was made from it."""
    reached = {node.id}
    for other in workflow.nodes:
        if reached.intersection(other.data_upstream):
            reached.add(other.id)
    return tuple(other for other in workflow.nodes if other.id in reached and other.id != node.id)


def _state(workspace: Workspace, shadow: Shadow, primary: Manifest) -> str:
    """Of the candidate as it is now, and of what it is compared with."""
    assert shadow.candidate is not None
    candidate: Mapping[str, Any] = workspace.registry.fingerprint(shadow.candidate).document
    document = primary.document
    return digest_of(
        {"candidate": candidate, "primary": document["data_version"], "read": document["record"]["inputs"]}
    )


def _comparison(workspace: Workspace, shadow: Shadow, production: str) -> ShadowComparison | None:
    try:
        return ShadowComparison.parse(workspace.store.read(f"{shadow.key}/{production}").document["comparison"])
    except (ArtifactMissing, ContractViolation):
        return None


def _tell_nobody(_event: NodeEvent) -> None:
    """The events of a production are those of what delivers it."""
