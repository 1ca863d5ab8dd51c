"""Events of a run that no node can tell itself: that it waits, that it never began, that its process was lost."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from contracts.events import NodeEvent, NodeStatus
from sparkle_dagster.execution.node_run import NodeOutcome, artifacts_of
from sparkle_dagster.observability.emitting import emit, spool_of
from sparkle_dagster.workflow.graph import Node
from sparkle_dagster.workspace import Workspace, this_workspace

PARTITION_TAG = "dagster/partition"
PLATFORM_NODES = frozenset({"upload", "report"})
"""Assets of every production that no workflow declares."""


def node_by_step(workspace: Workspace) -> dict[str, str]:
    """Dagster's step key -> node id, ``upload`` and ``report`` included."""
    nodes = {"upload": "upload", **{node.asset_key: node.id for node in workspace.workflow.nodes}, "report": "report"}
    return {"__".join([*workspace.key_prefix, asset]): node_id for asset, node_id in nodes.items()}


def told(plan_context: Any, plan: Any, events: Iterator[dg.DagsterEvent]) -> Iterator[dg.DagsterEvent]:
    """Pass on what an executor yields; tell of steps that wait and, at the end, of those that said no last word.

    A node tells of itself while it runs. What it cannot tell: that it is queued, that an input could not be read or
    the commit failed, that it never began. Intake and the report, which are no nodes, are told of here alone.
    """
    workspace, run = this_workspace(), plan_context.dagster_run
    steps = node_by_step(workspace)
    owed = {steps[key]: _Owed() for key in plan.step_keys_to_execute if key in steps}
    position = spool_of(workspace).last
    emit(workspace, *(event_of(workspace, run, node_id, NodeStatus.QUEUED) for node_id in owed))
    is_cancelled = False
    try:
        for event in events:
            node_id = steps.get(event.step_key or "")
            if node_id in owed:
                _follow(workspace, run, node_id, event, owed[node_id])
            yield event
    except BaseException as error:
        is_cancelled = not isinstance(error, Exception)
        raise
    finally:
        for item in _since(workspace, position):
            if item.run_id == run.run_id and item.status.is_terminal:
                is_cancelled |= item.status is NodeStatus.CANCELLED
                owed.pop(item.node_id, None)
        emit(
            workspace,
            *(
                event_of(workspace, run, node_id, item.last_word(is_cancelled), item.error, item.message)
                for node_id, item in owed.items()
                if not item.is_done
            ),
        )


@dataclass
class _Owed:
    """A step that has yet to say its last word, as far as the executor saw it."""

    has_begun: bool = False
    is_done: bool = False
    error: str = ""
    message: str = ""

    def last_word(self, is_cancelled: bool) -> NodeStatus:
        if self.error:
            return NodeStatus.FAILED
        if is_cancelled:
            return NodeStatus.CANCELLED
        return NodeStatus.FAILED if self.has_begun else NodeStatus.BLOCKED


def committed(outcome: NodeOutcome, workspace: Workspace, production: str) -> NodeEvent:
    """The terminal event of intake or the report, made from what was committed."""
    record = outcome.record
    return NodeEvent(
        node_id=record.node_id,
        provider=record.provider,
        status=record.status,
        latency_ms=record.latency_ms,
        artifacts=tuple(artifacts_of(outcome.result).values()),
        workspace=workspace.settings.workspace,
        production=production,
        run_id=record.run_id,
        at=now(),
        fidelity=outcome.result.fidelity,
        cache="miss",
        queue_ms=record.queue_ms,
        definition_digest=workspace.definition.digest,
    )


def queue_ms(context: dg.AssetExecutionContext, workspace: Workspace, node: Node) -> int | None:
    """How long a node waited: since its run was made, or since what it needs was there, whichever came last."""
    record = context.instance.get_run_record_by_id(context.run_id)
    if record is None:
        return None
    needed = {*node.data_upstream, *node.order_upstream, "upload"}
    keys = [step for step, node_id in node_by_step(workspace).items() if node_id in needed]
    ended = [item.end_time or 0.0 for item in context.instance.get_run_step_stats(context.run_id, keys)]
    return max(round((time.time() - max([record.create_timestamp.timestamp(), *ended])) * 1000), 0)


def now() -> str:
    """RFC 3339, UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _follow(workspace: Workspace, run: dg.DagsterRun, node_id: str, event: dg.DagsterEvent, owed: _Owed) -> None:
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            owed.has_begun = True
            if node_id in PLATFORM_NODES:
                emit(workspace, event_of(workspace, run, node_id, NodeStatus.RUNNING))
        case dg.DagsterEventType.STEP_UP_FOR_RETRY:
            emit(workspace, event_of(workspace, run, node_id, NodeStatus.RETRYING, message="its process was lost"))
        case dg.DagsterEventType.STEP_FAILURE:
            owed.error, owed.message = _failure(event)
        case dg.DagsterEventType.STEP_SUCCESS:
            owed.is_done = True
        case _:
            pass


def _failure(event: dg.DagsterEvent) -> tuple[str, str]:
    """Class and message of what ended a step; empty when it was told to stop."""
    data = event.step_failure_data
    if data.error_source.value == "INTERRUPT":
        return "", ""
    if data.user_failure_data is not None and data.user_failure_data.metadata:
        values = {key: str(value.value) for key, value in data.user_failure_data.metadata.items()}
        return values.get("error", "Failure"), values.get("message", data.user_failure_data.description or "")
    error = data.error.cause if data.error and data.error.cause else data.error
    if error is None:
        return "ProviderCrashed", "the step ended without an answer"
    return error.cls_name or "Error", error.message.strip().removeprefix(f"{error.cls_name}: ")


def _since(workspace: Workspace, position: int) -> Iterator[NodeEvent]:
    spool = spool_of(workspace)
    while found := spool.read(position):
        yield from (item.event for item in found)
        position = found[-1].number


def event_of(
    workspace: Workspace, run: dg.DagsterRun, node_id: str, status: NodeStatus, error: str = "", message: str = ""
) -> NodeEvent:
    """What the platform itself tells of a node of a run."""
    return NodeEvent(
        node_id=node_id,
        status=status,
        workspace=workspace.settings.workspace,
        production=run.tags.get(PARTITION_TAG, ""),
        run_id=run.run_id,
        at=now(),
        error=error,
        message=message,
        definition_digest=workspace.definition.digest,
    )
