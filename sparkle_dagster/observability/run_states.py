"""What Dagster's event log knows of a production beyond the store: runs under way, failures, what waits for them."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from contracts.events import Attempt, Candidate, NodeStatus, NodeSummary
from sparkle_dagster.workspace import Workspace

RECENT_RUNS = 20
ACTIVE = frozenset(
    {
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    }
)


def runs_of(instance: dg.DagsterInstance, production: str, limit: int = RECENT_RUNS) -> list[dg.DagsterRun]:
    """Runs of one production, newest first."""
    return list(instance.get_runs(dg.RunsFilter(tags={"dagster/partition": production}), limit=limit))


def unfinished_nodes(instance: dg.DagsterInstance, workspace: Workspace, production: str) -> dict[str, NodeSummary]:
    """node id -> state, for nodes whose latest run did not end well or has not ended.

    Dagster gives a step that waits on a failed one no event at all: ``blocked`` is derived here.
    """
    assets = {"upload": "upload", **{node.id: node.asset_key for node in workspace.workflow.nodes}}
    steps = {node_id: "__".join([*workspace.key_prefix, asset]) for node_id, asset in assets.items()}
    decided: set[str] = set()
    found: dict[str, NodeSummary] = {}
    for run in runs_of(instance, production):
        stats = {item.step_key: item for item in instance.get_run_step_stats(run.run_id)}
        selected = {key.path[-1] for key in run.asset_selection or ()}
        for node_id, asset in assets.items():
            if node_id in decided or (selected and asset not in selected):
                continue
            if run.status is dg.DagsterRunStatus.SUCCESS and steps[node_id] not in stats:
                continue  # it was no part of that run
            decided.add(node_id)
            status = _status(run, stats.get(steps[node_id]))
            if status is NodeStatus.SUCCEEDED:
                continue
            if status is NodeStatus.BLOCKED and _was_lost(run, stats, found):
                status = NodeStatus.FAILED
            details = _failure(instance, run.run_id, steps[node_id]) if status is NodeStatus.FAILED else {}
            if details.pop("interrupted", False):
                status = NodeStatus.CANCELLED
            found[node_id] = NodeSummary(node_id=node_id, asset=asset, status=status, run_id=run.run_id, **details)
        if decided == set(assets):
            break
    return found


def _status(run: dg.DagsterRun, step: Any | None) -> NodeStatus:
    outcome = step.status.value if step is not None and step.status is not None else None
    if outcome in {"SUCCESS", "FAILURE"}:
        return NodeStatus.SUCCEEDED if outcome == "SUCCESS" else NodeStatus.FAILED
    if run.status in ACTIVE:
        return NodeStatus.RUNNING if outcome == "IN_PROGRESS" else NodeStatus.QUEUED
    if run.status in {dg.DagsterRunStatus.CANCELED}:
        return NodeStatus.CANCELLED
    return NodeStatus.FAILED if outcome == "IN_PROGRESS" else NodeStatus.BLOCKED


def _was_lost(run: dg.DagsterRun, stats: Mapping[str, Any], found: Mapping[str, NodeSummary]) -> bool:
    """A run that failed though no step of it had: its process was lost, and this is the first node it owes."""
    return (
        run.status is dg.DagsterRunStatus.FAILURE
        and not any(step.status is not None and step.status.value == "FAILURE" for step in stats.values())
        and not any(node.run_id == run.run_id and node.status is NodeStatus.FAILED for node in found.values())
    )


def _failure(instance: dg.DagsterInstance, run_id: str, step_key: str) -> dict[str, Any]:
    """Error, provider and trace of a failed step, as its ``dg.Failure`` recorded them."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or event.step_key != step_key:
            continue
        data = event.step_failure_data
        user = data.user_failure_data
        if data.error_source.value == "INTERRUPT":
            return {"interrupted": True}
        if user is None:
            return {"error": (data.error.message if data.error else "the step ended without an answer").strip()}
        metadata = {key: value.value for key, value in user.metadata.items()}
        attempts = tuple(Attempt.model_validate(item) for item in _items(metadata, "attempts"))
        return {
            "error": f"{metadata.get('error', 'error')}: {metadata.get('message', user.description)}",
            "trace": tuple(Candidate.model_validate(item) for item in _items(metadata, "trace")),
            "attempts": attempts,
            "retries": max(len(attempts) - 1, 0),
            "provider": attempts[-1].provider if attempts else "",
        }
    return {"error": "the process of its run was lost: killed, out of memory, or the machine went down"}


def _items(metadata: Mapping[str, Any], name: str) -> list[Any]:
    value = metadata.get(name)
    return list(value) if isinstance(value, list) else []
