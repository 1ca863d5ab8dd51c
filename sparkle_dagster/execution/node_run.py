"""One node of one production, from top to bottom. Not here: Dagster, and how a provider is started.

1. build and validate the request from what the node binds;
2. let the registry run its candidates (availability, attempts, failover, deadline: all behind ``resolve``);
3. judge what came back: fidelity, data version, record.

The caller hands the outcome to the IO manager, which commits it, and then reports the terminal event.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from contracts.artifacts import ArtifactRef
from contracts.base import digest_of, least
from contracts.errors import ProviderError, SparkleError
from contracts.events import Attempt, NodeEvent, NodeRecord, NodeStatus, Usage
from contracts.production import ProductionSpec, TaskResult
from contracts.upload import UploadResult
from sparkle_dagster.registry.attempts import Outcome
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workflow.bind import bind
from sparkle_dagster.workflow.graph import Node

NOT_CONTENT = frozenset({"provider", "notes"})
"""Fields of a result that say who and how, not what: they never change the data version."""


@dataclass(frozen=True)
class NodeSwitches:
    """What one run changes for one node; everything else is configuration."""

    enabled: bool | None = None
    provider: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that were set."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class NodeOutcome:
    """A result ready to be committed."""

    result: TaskResult
    record: NodeRecord
    data_version: str
    terminal: NodeEvent | None = None
    """To be reported by whoever commits the outcome, after the commit."""


@dataclass(frozen=True)
class NodeContext:
    """Where a node run belongs, and who listens."""

    production: ProductionSpec
    run_id: str
    code_version: str
    definition_digest: str
    emit: Callable[[NodeEvent], None]
    progress: Callable[[float, float, str], None]
    logger: logging.Logger
    """Takes what the provider logs and prints."""
    queue_ms: int | None = None
    """From when the node could have started until it did; None where nobody knows."""


def data_version_of(result: TaskResult) -> str:
    """Digest of the result's content, 64 hex digits: equal content stops the cascade."""
    return digest_of(result.model_dump(mode="json", exclude=set(NOT_CONTENT)))


def bound_versions(node: Node, results: Mapping[str, TaskResult]) -> dict[str, str]:
    """Node id or ``upload`` -> digest of what ``node`` reads of its result: another title does not touch lip-sync.

    Args:
        results: by node id, with ``upload``; a source that is missing is left out.
    """
    versions: dict[str, str] = {}
    for source in dict.fromkeys(bound.source for bound in node.inputs if bound.source in results):
        document = results[source].model_dump(mode="json", exclude=set(NOT_CONTENT))
        fields = {bound.source_field for bound in node.inputs if bound.source == source}
        fields |= {"fidelity", "profile"}  # every request carries the delivery profile and inherits fidelity
        read = document if None in fields else {name: document[name] for name in fields if name in document}
        versions[source] = digest_of(read)
    return versions


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
        ContractViolation: what the node binds does not make a valid request.
    """
    started = time.monotonic()
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    attempts: list[Attempt] = []

    def event(status: NodeStatus, outcome: Outcome | None = None, error: Exception | None = None) -> NodeEvent:
        usage = usage_of(attempts)
        return NodeEvent(
            node_id=node.id,
            provider=outcome.provider if outcome else (attempts[-1].provider if attempts else ""),
            status=status,
            latency_ms=_elapsed_ms(started),
            retries=max(len(attempts) - 1, 0),
            artifacts=tuple(artifacts_of(outcome.result).values()) if outcome else (),
            workspace=context.production.workspace,
            production=context.production.key,
            run_id=context.run_id,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            error=type(error).__name__ if error else "",
            message=str(error) if error else "",
            fidelity=outcome.result.fidelity if outcome else None,
            cache="miss" if outcome else None,
            failed_over=_failed_over(attempts, outcome),
            queue_ms=context.queue_ms,
            definition_digest=context.definition_digest,
            cpu_s=usage.cpu_s,
            peak_memory_mb=usage.peak_memory_mb,
            gpu_memory_mb=usage.gpu_memory_mb,
        )

    def on_attempt(attempt: Attempt) -> None:
        attempts.append(attempt)
        if attempt.error:
            context.emit(event(NodeStatus.RETRYING))

    context.emit(event(NodeStatus.RUNNING))
    try:
        document = bind(node, upload, results)
        document["production"] = context.production
        document["input_fidelity"] = least(*(result.fidelity for result in (upload, *results.values())))
        request = node.task.request_type.parse(document)
        task = registry.resolve(
            node.capability,
            enabled=switches.enabled,
            provider=switches.provider or node.spec.provider,
            retries=node.spec.retries,
            timeout_seconds=node.spec.timeout,
        )
        outcome = task.run_with_outcome(
            request, on_progress=context.progress, on_attempt=on_attempt, logger=context.logger
        )
    except Exception as error:
        context.emit(event(NodeStatus.FAILED, error=error))
        raise
    except BaseException:
        context.emit(event(NodeStatus.CANCELLED))
        raise
    status = NodeStatus.PASSED_THROUGH if outcome.provider == "noop" else NodeStatus.SUCCEEDED
    record = NodeRecord(
        node_id=node.id,
        provider=outcome.provider,
        provider_version=outcome.provider_version,
        fidelity=outcome.result.fidelity,
        status=status,
        trace=outcome.trace,
        attempts=outcome.attempts,
        latency_ms=_elapsed_ms(started),
        run_id=context.run_id,
        started_at=started_at,
        code_version=context.code_version,
        definition_digest=context.definition_digest,
        inputs=bound_versions(node, {"upload": upload, **results}),
        previews=outcome.inspections,
        switches=switches.given,
        queue_ms=context.queue_ms,
    )
    return NodeOutcome(outcome.result, record, data_version_of(outcome.result), event(status, outcome))


def artifacts_of(result: TaskResult) -> dict[str, ArtifactRef]:
    """The artifacts a result holds itself, by field name (not those inside bound results)."""
    values = ((name, getattr(result, name)) for name in type(result).model_fields)
    return {name: value for name, value in values if isinstance(value, ArtifactRef)}


def artifact_field_names(result_type: type[TaskResult]) -> list[str]:
    """Fields of a result contract that hold an artifact."""
    fields = result_type.model_fields.items()
    return [name for name, field in fields if ArtifactRef in (field.annotation, *get_args(field.annotation))]


def code_version_of(node: Node, candidates: object) -> str:
    """Digest of the node and the *configured* candidates with options; never what happens to be installed."""
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
