"""One node of one production, from top to bottom. Not here: Dagster, and how a provider is started.

1. ``when`` and ``skip_if``: a node that is not to run uses its capability's no-op;
2. build and validate the request from what the node binds;
3. let the registry run its candidates (availability, attempts, failover, deadline: all behind ``resolve``); before a
   candidate is started, the memo is asked under that candidate's own key;
4. judge what came back: fidelity, data version, record.

The caller hands the outcome to the IO manager, which commits it, then the memo's pointer, then the terminal event.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_args

from contracts.artifacts import ArtifactRef
from contracts.base import digest_of, least
from contracts.errors import ProviderError, SparkleError
from contracts.events import Attempt, Candidate, NodeEvent, NodeRecord, NodeStatus, Usage
from contracts.production import ProductionSpec, TaskRequest, TaskResult
from contracts.upload import UploadResult
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.execution.conditions import decide, values_in
from sparkle_dagster.execution.contents import Contents, contents_of
from sparkle_dagster.execution.memo import REMEMBERED, Keyed, find, keyed
from sparkle_dagster.execution.switches import NodeSwitches, as_decided, refuse_conflict
from sparkle_dagster.registry.attempts import Outcome, Stored
from sparkle_dagster.registry.candidates import NO_OP, ProviderCandidate
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workflow.bind import bind
from sparkle_dagster.workflow.expressions import Decision
from sparkle_dagster.workflow.graph import UPLOAD, Node


@dataclass(frozen=True)
class NodeOutcome:
    """A result ready to be committed."""

    result: TaskResult
    record: NodeRecord
    data_version: str
    terminal: NodeEvent | None = None
    """To be reported by whoever commits the outcome, after the commit."""
    remember_as: str = ""
    """Key under which the committed result is to be found again; empty: it is not."""


@dataclass(frozen=True)
class NodeContext:
    """Where a node run belongs, and who listens."""

    production: ProductionSpec
    store: ArtifactStore
    run_id: str
    code_version: str
    definition: ArtifactRef
    """The stored definition that it runs under."""
    emit: Callable[[NodeEvent], None]
    progress: Callable[[float, float, str], None]
    logger: logging.Logger
    """Takes what the provider logs and prints."""
    stop: threading.Event | None = None
    """Set it from another thread to kill the provider; AttemptStopped is raised then."""
    queue_ms: int | None = None
    """From when the node could have started until it did; None where nobody knows."""


def data_version_of(result: TaskResult) -> str:
    """Digest of the result's content, 64 hex digits: equal content stops the cascade."""
    return contents_of(result).whole


def run_node(
    node: Node,
    upload: UploadResult,
    results: Mapping[str, TaskResult],
    registry: ProviderRegistry,
    context: NodeContext,
    switches: NodeSwitches,
) -> NodeOutcome:
    """Run one node.

    Args:
        results: upstream results by node id.

    Raises:
        ProviderError: every candidate was tried; ``trace`` and ``attempts`` are on the error.
        ContractViolation: what the node binds does not make a valid request, or a condition cannot be decided.
    """
    run = _Run(node, upload, results, registry, context, switches)
    run.emit(NodeStatus.RUNNING)
    try:
        return run.outcome()
    except Exception as error:
        run.emit(NodeStatus.FAILED, error)
        raise
    except BaseException:
        run.emit(NodeStatus.CANCELLED)
        raise


@dataclass
class _Run:
    node: Node
    upload: UploadResult
    results: Mapping[str, TaskResult]
    registry: ProviderRegistry
    context: NodeContext
    switches: NodeSwitches
    started: float = field(default_factory=time.monotonic)
    started_at: str = field(default_factory=lambda: _now())
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    keys: dict[str, Keyed] = field(default_factory=dict[str, Keyed])
    reason: str = ""

    def outcome(self) -> NodeOutcome:
        sources = {UPLOAD: self.upload, **self.results}
        decision = decide(self.node, values_in(sources), self.context.production, self.registry.is_enabled)
        if decision.reason:
            self.reason = decision.reason
            self.context.logger.info(
                "%s %s: %s", self.node.id, "runs" if decision.runs else "is turned off", self.reason
            )
        refuse_conflict(self.node, self.switches, decision, self.registry)
        if decision.runs:
            self.switches = as_decided(self.context.production, self.node.id, self.switches)
        task = self.registry.resolve(
            self.node.capability,
            enabled=self.switches.enabled if decision.runs else False,
            provider=self.switches.provider or self.node.spec.provider,
            options=self.switches.options,
            retries=self.node.spec.retries,
            timeout_seconds=self.node.spec.timeout,
            lane=self.node.spec.lane,
        )
        outcome = task.run_with_outcome(
            self._request(),
            on_progress=self.context.progress,
            on_attempt=self._on_attempt,
            logger=self.context.logger,
            stop=self.context.stop,
            lookup=self._lookup,
        )
        if outcome.stored_as:
            self.reason = f"nothing that decides it has changed: stored as {outcome.stored_as}"
        record = self._record(outcome, decision)
        key = record.memo_key if record.status in REMEMBERED and self.node.spec.cache else ""
        terminal = self._event(record.status, outcome)
        return NodeOutcome(outcome.result, record, data_version_of(outcome.result), terminal, key)

    def emit(self, status: NodeStatus, error: Exception | None = None) -> None:
        self.context.emit(self._event(status, error=error))

    def _request(self) -> TaskRequest:
        document = bind(self.node, self.upload, self.results)
        bound = {bound.source for bound in self.node.inputs} & set(self.results)
        document["production"] = self.context.production
        document["input_fidelity"] = least(self.upload.fidelity, *(self.results[source].fidelity for source in bound))
        return self.node.task.request_type.parse(document)

    def _lookup(self, candidate: ProviderCandidate) -> Stored | None:
        found = keyed(self.node, candidate, self._contents, self.context.production, self.registry)
        self.keys[candidate.name] = found
        if candidate.is_no_op or self.switches.force or not self.node.spec.cache:
            return None
        return find(self.context.store, self.node, found.key)

    @cached_property
    def _contents(self) -> dict[str, Contents]:
        return {source: contents_of(result) for source, result in {UPLOAD: self.upload, **self.results}.items()}

    def _on_attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        if attempt.error:
            self.emit(NodeStatus.RETRYING)

    def _record(self, outcome: Outcome, decision: Decision) -> NodeRecord:
        made = self.keys[outcome.provider]
        return NodeRecord(
            node_id=self.node.id,
            provider=outcome.provider,
            provider_version=outcome.provider_version,
            fidelity=outcome.result.fidelity,
            status=_status(outcome),
            trace=_explained(outcome, decision),
            attempts=outcome.attempts,
            latency_ms=_elapsed_ms(self.started),
            run_id=self.context.run_id,
            started_at=self.started_at,
            code_version=self.context.code_version,
            definition_digest=self.context.definition.digest,
            definition=self.context.definition,
            inputs=made.inputs,
            options=made.fingerprint.options,
            weights=made.fingerprint.weights,
            code=made.fingerprint.code,
            memo_key=made.key,
            cached_from=outcome.stored_as,
            reason=self.reason,
            conditions_met=decision.runs,
            previews=outcome.inspections,
            switches=self.switches.given,
            queue_ms=self.context.queue_ms,
        )

    def _event(self, status: NodeStatus, outcome: Outcome | None = None, error: Exception | None = None) -> NodeEvent:
        attempts, usage = tuple(self.attempts), usage_of(self.attempts)
        return NodeEvent(
            node_id=self.node.id,
            provider=outcome.provider if outcome else (attempts[-1].provider if attempts else ""),
            status=status,
            latency_ms=_elapsed_ms(self.started),
            retries=max(len(attempts) - 1, 0),
            artifacts=tuple(artifacts_of(outcome.result).values()) if outcome else (),
            workspace=self.context.production.workspace,
            production=self.context.production.key,
            run_id=self.context.run_id,
            at=_now(),
            error=type(error).__name__ if error else "",
            message=str(error) if error else "",
            fidelity=outcome.result.fidelity if outcome else None,
            cache=("hit" if outcome.stored_as else "miss") if outcome else None,
            failed_over=_failed_over(self.attempts, outcome),
            queue_ms=self.context.queue_ms,
            definition_digest=self.context.definition.digest,
            cpu_s=usage.cpu_s,
            peak_memory_mb=usage.peak_memory_mb,
            gpu_memory_mb=usage.gpu_memory_mb,
            reason=self.reason,
            attempts=attempts,
        )


def _status(outcome: Outcome) -> NodeStatus:
    if outcome.provider == NO_OP:
        return NodeStatus.PASSED_THROUGH
    return NodeStatus.CACHED if outcome.stored_as else NodeStatus.SUCCEEDED


def _explained(outcome: Outcome, decision: Decision) -> tuple[Candidate, ...]:
    """The trace; where a condition turned the node off, that is why its providers were."""
    if decision.runs:
        return outcome.trace
    why = {"reason": decision.reason}
    return tuple(item.model_copy(update=why) if item.outcome == "disabled" else item for item in outcome.trace)


def artifacts_of(result: TaskResult) -> dict[str, ArtifactRef]:
    """The artifacts a result holds itself, by field name (not those inside bound results)."""
    values = ((name, getattr(result, name)) for name in type(result).model_fields)
    return {name: value for name, value in values if isinstance(value, ArtifactRef)}


def artifact_field_names(result_type: type[TaskResult]) -> list[str]:
    """Fields of a result contract that hold an artifact."""
    fields = result_type.model_fields.items()
    return [name for name, field in fields if ArtifactRef in (field.annotation, *get_args(field.annotation))]


def code_version_of(node: Node, candidates: object) -> str:
    """Digest of the node, conditions included, and the *configured* candidates with options; never what happens to be
    installed."""
    spec: dict[str, Any] = node.spec.model_dump(mode="json", exclude={"description", "owners"})
    return digest_of({"node": spec, "candidates": candidates})[:16]


def failure_details(error: SparkleError) -> dict[str, Any]:
    """What a person needs of a failed node: class, message, every attempt, why each candidate was passed over."""
    details: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
    if isinstance(error, ProviderError):
        for name in ("attempts", "trace"):
            items = getattr(error, name, ())
            details[name] = [item.model_dump(mode="json") for item in items]
    return details


def usage_of(attempts: Sequence[Attempt]) -> Usage:
    """CPU seconds of all attempts together, memory of the largest."""
    measured = [attempt.usage for attempt in attempts]
    return Usage(
        cpu_s=sum(item.cpu_s or 0 for item in measured) or None,
        peak_memory_mb=max((item.peak_memory_mb or 0 for item in measured), default=0) or None,
        gpu_memory_mb=max((item.gpu_memory_mb or 0 for item in measured), default=0) or None,
    )


def _failed_over(attempts: Sequence[Attempt], outcome: Outcome | None) -> tuple[str, ...]:
    """Providers that failed and were left behind."""
    failed = dict.fromkeys(attempt.provider for attempt in attempts if attempt.error)
    last = outcome.provider if outcome else (attempts[-1].provider if attempts else "")
    return tuple(name for name in failed if name != last)


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
