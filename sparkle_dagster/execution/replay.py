"""Make an artifact again, node by node, from what its manifests say it was made from, and compare. Commits nothing.

Each node is given the inputs that it was given then, so the node named is the one that differs, not one after it.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from contracts.base import least
from contracts.errors import ConfigError, ContractViolation
from contracts.production import DeliveryProfile, Metrics, ProductionSpec, TaskResult
from contracts.upload import UploadResult
from sparkle_dagster.execution.contents import contents_of
from sparkle_dagster.execution.lineage import Made
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.workflow.bind import bind
from sparkle_dagster.workflow.graph import UPLOAD, Node
from sparkle_dagster.workspace import Workspace

SAME_METRIC = 0.01
"""Relative difference up to which two measurements count as one."""
Verdict = Literal["bit-equal", "metric-equal", "differs"]
ORDER: tuple[Verdict, ...] = ("bit-equal", "metric-equal", "differs")


@dataclass(frozen=True)
class NodeReplay:
    """One node made again."""

    node_id: str
    place: str
    verdict: Verdict
    metrics: dict[str, tuple[Any, Any]]
    """Metric -> (then, now)."""
    notes: tuple[str, ...]
    """What is not as it was then, such as the provider's version."""


@dataclass(frozen=True)
class Replay:
    nodes: tuple[NodeReplay, ...]

    @property
    def verdict(self) -> str:
        """``bit-equal``, ``metric-equal`` or ``differs at node X``, X the first that does."""
        worst = max((node.verdict for node in self.nodes), key=ORDER.index, default="bit-equal")
        first = next((node.node_id for node in self.nodes if node.verdict == "differs"), "")
        return f"differs at node {first}" if first else worst


def replay(workspace: Workspace, made: Made, on_node: Callable[[NodeReplay], None] = lambda found: None) -> Replay:
    """Make it and everything it was made from again, in order.

    Args:
        on_node: called as each node is done.

    Raises:
        ConfigError: what it was made with is not known or not installed here.
        ProviderError: a provider failed this time.
    """
    found: list[NodeReplay] = []
    for part in made.chain():
        if part.record.node_id != UPLOAD:
            found.append(_replayed(workspace, part))
            on_node(found[-1])
    if not found:
        raise ConfigError(f"{made.place} was taken in, not made: there is nothing to make again")
    return Replay(tuple(found))


def _replayed(workspace: Workspace, made: Made) -> NodeReplay:
    record = made.record
    if made.definition is None or not record.memo_key:
        raise ConfigError(f"{made.place}: made by a version that did not keep its definition; it cannot be replayed")
    node = made.definition.workflow(workspace.registry).node(record.node_id)
    lost = [source for source in {UPLOAD, *(bound.source for bound in node.inputs)} if source not in made.sources]
    if lost:
        raise ConfigError(f"{made.place}: the result of {', '.join(lost)} that it read is no longer in the store")
    results = {source: _result(workspace, node, source, part) for source, part in made.sources.items()}
    candidate, notes = _provider(workspace, node, made)
    task = workspace.registry.resolve_exactly(candidate, timeout_seconds=node.spec.timeout, lane=node.spec.lane)
    outcome = task.run_with_outcome(_request(node, results, made), logger=logging.getLogger("sparkle.replay"))
    then = node.task.result_type.parse(made.manifest.document["result"])
    verdict, metrics = _compared(then, outcome.result)
    return NodeReplay(node.id, made.place, verdict, metrics, tuple(notes))


def _result(workspace: Workspace, node: Node, source: str, made: Made) -> TaskResult:
    if source == UPLOAD:
        return UploadResult.parse(made.manifest.document["result"])
    assert made.definition is not None
    kind = made.definition.workflow(workspace.registry).node(source).task.result_type
    return kind.parse(made.manifest.document["result"])


def _provider(workspace: Workspace, node: Node, made: Made) -> tuple[ProviderCandidate, list[str]]:
    """The provider of then with the options of then, and what is not as it was."""
    record = made.record
    is_off = record.provider == "noop"
    (candidate,) = workspace.registry.candidates(
        node.capability, enabled=not is_off, provider=None if is_off else record.provider
    )
    problem = workspace.registry.unavailable(candidate, node.spec.lane)
    if candidate.provider is None or problem is not None:
        raise ConfigError(f"{node.id}: made by {record.provider}, which cannot run here: {problem}")
    try:
        options = candidate.provider.Options.model_validate(record.options)
    except ValueError as error:
        raise ContractViolation(f"{node.id}: {record.provider} does not take the options of then: {error}") from error
    then = replace(candidate, options=options, written=record.options)
    now = workspace.registry.fingerprint(then)
    notes = [
        f"{what}: {before} then, {after} now"
        for what, before, after in (
            (f"version of {record.provider}", record.provider_version, now.version),
            (f"code of {record.provider}", record.code, now.code),
            ("weights", record.weights, now.weights),
        )
        if before != after
    ]
    return then, notes


def _request(node: Node, results: dict[str, TaskResult], made: Made) -> Any:
    upload = results[UPLOAD]
    assert isinstance(upload, UploadResult)
    assert made.definition is not None
    document = bind(node, upload, results)
    document["production"] = ProductionSpec(
        key=made.production,
        workspace=made.manifest.workspace,
        upload_digest=upload.digest,
        profile=DeliveryProfile.model_validate(made.definition.document["profiles"][upload.profile]),
    )
    document["input_fidelity"] = least(*(result.fidelity for result in results.values()))
    return node.task.request_type.parse(document)


def _compared(then: TaskResult, now: TaskResult) -> tuple[Verdict, dict[str, tuple[Any, Any]]]:
    before, after = _metrics(then), _metrics(now)
    both = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    if contents_of(then).whole == contents_of(now).whole:
        return "bit-equal", both
    if both and all(_is_same(one, other) for one, other in both.values()):
        return "metric-equal", both
    return "differs", both


def _metrics(result: TaskResult) -> dict[str, Any]:
    metrics = getattr(result.content(), "metrics", None)
    return metrics.model_dump(mode="json", exclude_none=True) if isinstance(metrics, Metrics) else {}


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=SAME_METRIC)
    return one == other
