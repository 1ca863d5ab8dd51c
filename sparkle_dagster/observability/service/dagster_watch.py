"""What Dagster alone knows: runs in its queue, runs that ended without a word, daemon, sensors, pools."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from contracts.events import NodeEvent, NodeStatus
from contracts.status import ServiceHealth
from sparkle_dagster.observability.emitting import emit
from sparkle_dagster.observability.run_events import PARTITION_TAG, event_of
from sparkle_dagster.observability.service.projection import Projection
from sparkle_dagster.workspace import Workspace

PAGE = 500
OVERLAP = timedelta(seconds=60)
"""Looked at again each time: clocks of several hosts differ."""
STATUS = {
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.NOT_STARTED: "queued",
    dg.DagsterRunStatus.STARTING: "queued",
    dg.DagsterRunStatus.STARTED: "started",
    dg.DagsterRunStatus.CANCELING: "started",
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
}
LOST_MESSAGE = "the process of its run was lost: killed, out of memory, or the machine went down"


class RunWatch:
    """Keeps a projection true to Dagster's runs."""

    def __init__(self, instance: dg.DagsterInstance, workspace: Workspace, projection: Projection) -> None:
        self._instance = instance
        self._workspace = workspace
        self._projection = projection
        self._looked_at: datetime | None = None
        assets = {"upload": "upload", **{node.asset_key: node.id for node in workspace.workflow.nodes}}
        self._node_of_asset = {**assets, "report": "report"}

    def changed_runs(self) -> list[dg.DagsterRun]:
        """Runs of this workspace that changed since the last call, and all that are under way, oldest first."""
        began = datetime.now(UTC)
        filters = dg.RunsFilter(updated_after=self._looked_at - OVERLAP) if self._looked_at else dg.RunsFilter()
        found = {run.run_id: run for run in self._pages(filters)}
        known = set(self._projection.active_runs()) - found.keys()
        for run_id in known:
            run = self._instance.get_run_by_id(run_id)
            if run is not None:
                found[run_id] = run
        self._looked_at = began
        return [run for run in reversed(found.values()) if self.nodes_of(run)]

    def take_in(self, runs: list[dg.DagsterRun]) -> None:
        """Bring the projection up to date; for runs that ended, speak the last words that their nodes owe.

        The spool must have been read since ``changed_runs``: what a run's own process said comes first.
        """
        for run in runs:
            status = STATUS[run.status]
            is_lost = status == "failed" and self._was_lost(run)
            production = run.tags.get(PARTITION_TAG, "")
            self._projection.apply_run(
                run.run_id, production, status, is_lost=is_lost, nodes=self.nodes_of(run) if production else ()
            )
            if production and run.is_finished:
                emit(self._workspace, *self._owed(run, production, is_lost=is_lost))

    def nodes_of(self, run: dg.DagsterRun) -> list[str]:
        """Nodes that a run makes; none when it is another workspace's."""
        if not run.asset_selection:
            return list(self._node_of_asset.values())
        prefix = self._workspace.key_prefix
        names = {key.path[-1] for key in run.asset_selection if key.path[:-1] == prefix}
        return [node_id for asset, node_id in self._node_of_asset.items() if asset in names]

    def _pages(self, filters: dg.RunsFilter) -> list[dg.DagsterRun]:
        """Newest first."""
        runs: list[dg.DagsterRun] = []
        while True:
            page = self._instance.get_runs(filters, cursor=runs[-1].run_id if runs else None, limit=PAGE)
            runs += page
            if len(page) < PAGE:
                return runs

    def _was_lost(self, run: dg.DagsterRun) -> bool:
        """It failed though no step of it had: its process is gone."""
        stats = self._instance.get_run_step_stats(run.run_id)
        return not any(item.status is not None and item.status.value == "FAILURE" for item in stats)

    def _owed(self, run: dg.DagsterRun, production: str, *, is_lost: bool) -> list[NodeEvent]:
        status = self._projection.production(production)
        silent = [
            node
            for node in (status.nodes if status else ())
            if node.run_id == run.run_id and node.status is not None and not node.status.is_terminal
        ]
        ended = "cancelled" if run.status is dg.DagsterRunStatus.CANCELED else "failed"
        words: list[NodeEvent] = []
        for node in silent:
            if ended == "cancelled":
                last, error, message = NodeStatus.CANCELLED, "", ""
            elif node.status is NodeStatus.QUEUED and (words or not is_lost):
                last, error, message = NodeStatus.BLOCKED, "", ""
            else:
                last, error, message = NodeStatus.FAILED, "RunLost", LOST_MESSAGE
            event = event_of(self._workspace, run, node.node_id, last, error, message)
            words.append(event.model_copy(update={"event_id": f"{run.run_id}-{node.node_id}-{last.value}"}))
        return words


def health_of(instance: dg.DagsterInstance) -> list[ServiceHealth]:
    """Dagster's daemons, and its sensors by their newest tick."""
    found: list[ServiceHealth] = []
    for kind, status in sorted(instance.get_daemon_statuses().items()):
        beat = status.last_heartbeat
        seen_at = _time(beat.timestamp) if beat else ""
        errors = "; ".join(error.message.strip() for error in (beat.errors or ())) if beat else "never ran"
        message = errors or ("" if status.healthy else "no heartbeat: is `sparkle dev` running?")
        found.append(
            ServiceHealth(name=f"daemon {kind}", healthy=bool(status.healthy), message=message[:300], seen_at=seen_at)
        )
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        error = ticks[0].error.message.strip() if ticks and ticks[0].error else ""
        seen_at = _time(ticks[0].timestamp) if ticks else ""
        name = f"sensor {state.instigator_name}"
        found.append(ServiceHealth(name=name, healthy=not error, message=error[:300], seen_at=seen_at))
    return found


def gpu_slots_taken(instance: dg.DagsterInstance) -> int:
    """Of the pool ``gpu``, across runs."""
    return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
