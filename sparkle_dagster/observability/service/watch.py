"""The one thread of the status service that looks: at the spool, at Dagster, at progress files. Answers are ready-made.

Requests never look themselves; they are handed what the last look found, at most about a second old.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from contracts.errors import ArtifactError
from contracts.events import NodeStatus
from contracts.qa import QAReviewResult
from contracts.status import InstallationStatus, LaneState, NodeState, ProductionStatus, ServiceHealth
from contracts.upload import UploadResult
from sparkle_dagster.defs.reaper import reap
from sparkle_dagster.observability.delivery import sink_states
from sparkle_dagster.observability.emitting import spool_of
from sparkle_dagster.observability.production_view import summarize, view_production
from sparkle_dagster.observability.progress import read_progress
from sparkle_dagster.observability.run_events import now
from sparkle_dagster.observability.service.dagster_watch import RunWatch, gpu_slots_taken, health_of
from sparkle_dagster.observability.service.history import remaining, whole
from sparkle_dagster.observability.service.projection import Projection
from sparkle_dagster.observability.spool import SpooledEvent
from sparkle_dagster.observability.store_status import Facts, facts_of, status_from_store
from sparkle_dagster.workspace import Workspace

LOOK_SECONDS = 0.5
RUNS_SECONDS = 2.0
HEALTH_SECONDS = 10.0
STALE_SECONDS = 30.0
"""A look that is older than this is no answer any more."""
BATCH = 500
BACKFILL_AT_ONCE = 20

_log = logging.getLogger("sparkle.status")


@dataclass(frozen=True)
class Snapshot:
    """What the last look found, also as the bytes of an answer."""

    status: InstallationStatus
    body: bytes
    productions: Mapping[str, ProductionStatus]
    """Of those in flight."""
    number: int
    """Newest event of the spool that is in here."""
    taken_at: float
    """Monotonic seconds."""


class Watch:
    """Started once per service."""

    def __init__(self, workspace: Workspace, instance: dg.DagsterInstance) -> None:
        self.workspace = workspace
        self.spool = spool_of(workspace)
        nodes = [node.id for node in workspace.workflow.nodes]
        self.projection = Projection(workspace.settings.home / "events" / "status.sqlite", ["upload", *nodes, "report"])
        self._instance = instance
        self._runs = RunWatch(instance, workspace, self.projection)
        self._upstream = {
            "upload": (),
            **{node.id: ("upload", *node.data_upstream, *node.order_upstream) for node in workspace.workflow.nodes},
            "report": tuple(nodes),
        }
        self._lanes = {node.id: _lane(workspace, node.id) for node in workspace.workflow.nodes}
        self._assets = {"upload": "upload", **{node.id: node.asset_key for node in workspace.workflow.nodes}}
        self._health: tuple[ServiceHealth, ...] = ()
        self._gpu_busy = 0
        self._due = {"runs": 0.0, "health": 0.0}
        self._unseen: list[str] | None = None
        self._percents: dict[tuple[str, str, str], float] = {}
        empty = InstallationStatus(workspace=workspace.settings.workspace, at=now())
        self.snapshot = Snapshot(empty, b"{}", {}, 0, float("-inf"))

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.snapshot.taken_at < STALE_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop. A look that fails is told of in the log, and tried again."""
        while not stop.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a database that is busy now answers later
                _log.exception("the status could not be brought up to date; trying again")
                stop.wait(HEALTH_SECONDS / 2)
            stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Bring everything up to date, once."""
        runs = self._runs.changed_runs() if self._is_due("runs", RUNS_SECONDS) else []
        self._read_spool()
        self._runs.take_in(runs)
        if runs:
            self._read_spool()  # with the last words that were just spoken for others
        if self._is_due("health", HEALTH_SECONDS):
            reap(self._instance, self.workspace.settings.home)
            self._health = tuple(health_of(self._instance))
            self._gpu_busy = gpu_slots_taken(self._instance)
        self._backfill()
        self.snapshot = self._taken()

    def notice(self, run_id: str) -> None:
        """Take in a run that was just started, so that its caller finds it."""
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._runs.take_in([run])

    def detailed(self, status: ProductionStatus) -> ProductionStatus:
        """With percentages and the time that is left, as of now."""
        if status.state not in {"queued", "running"}:
            return status.model_copy(update={"percent": 100.0 if status.state == "succeeded" else None})
        progress = read_progress(self.workspace.settings.home, status.production)
        nodes: list[NodeState] = []
        for node in status.nodes:
            seen = progress.get(node.node_id, {})
            if node.status is NodeStatus.RUNNING:
                mine = seen if seen.get("run_id") == node.run_id else {}
                node = node.model_copy(
                    update={"percent": self._percent_of(node, mine), "note": str(mine.get("note", ""))}
                )
            if node.status is not None and not node.status.is_terminal:
                expected = self.projection.history.expected(node.node_id, status.duration_seconds)
                node = node.model_copy(update={"eta": remaining(node, expected, _since(node.started_at))})
            nodes.append(node)
        left = {node.node_id: node.eta for node in nodes}
        eta = whole(nodes, left, self._upstream)
        return status.model_copy(update={"nodes": tuple(nodes), "eta": eta, "percent": _percent(nodes, status.run_id)})

    def _percent_of(self, node: NodeState, seen: Mapping[str, Any]) -> float | None:
        """As its provider tells; the highest so far, since its last word comes after its progress has ended."""
        key = (node.run_id, node.node_id, node.started_at)
        if seen.get("total"):
            percent = round(min(100 * seen["done"] / seen["total"], 100.0), 1)
            self._percents[key] = max(percent, self._percents.get(key, 0.0))
        return self._percents.get(key)

    def _taken(self) -> Snapshot:
        in_flight = tuple(self.detailed(status) for status in self.projection.in_flight())
        if not in_flight:
            self._percents.clear()
        settings = self.workspace.registry.settings
        running = [
            self._lanes.get(node.node_id, "cpu")
            for status in in_flight
            for node in status.nodes
            if node.status is NodeStatus.RUNNING
        ]
        status = InstallationStatus(
            workspace=self.workspace.settings.workspace,
            at=now(),
            event=self.projection.number,
            in_flight=in_flight,
            queued_runs=self.projection.run_counts().get("queued", 0),
            counts=self.projection.counts(),
            lanes={
                "cpu": LaneState(slots=settings.lanes.cpu.slots, busy=running.count("cpu")),
                "gpu": LaneState(slots=settings.lanes.gpu.slots, busy=max(self._gpu_busy, running.count("gpu"))),
            },
            health=self._health,
            lost_runs=self.projection.lost_runs(),
            sinks={
                state.name: {"kind": state.kind, "waiting": state.waiting, **asdict(state.cursor)}
                for state in sink_states(settings.sinks, self.spool, self.spool.folder.parent)
            },
        )
        by_key = {item.production: item for item in in_flight}
        return Snapshot(status, status.model_dump_json().encode(), by_key, self.projection.number, time.monotonic())

    def _read_spool(self) -> None:
        if self.projection.number > self.spool.last:
            self.projection.rewind()
        while items := self.spool.read(self.projection.number, BATCH):
            self.projection.apply(items, self._facts(items))

    def _facts(self, items: list[SpooledEvent]) -> dict[tuple[str, str], Facts]:
        ended = {
            (item.event.production, item.event.node_id)
            for item in items
            if item.event.status in {NodeStatus.SUCCEEDED, NodeStatus.CACHED, NodeStatus.PASSED_THROUGH}
        }
        return {key: self._fact(*key) for key in ended if key[1] in self._assets}

    def _fact(self, production: str, node_id: str) -> Facts:
        asset = self._assets[node_id]
        result_type = self.workspace.result_types[asset]
        if result_type is not UploadResult and not issubclass(result_type, QAReviewResult):
            return Facts()
        try:
            result = result_type.parse(self.workspace.read_result(asset, production))
        except ArtifactError:  # its event is told, what it made is gone: the page will say so
            return Facts()
        return facts_of(Facts(), result)

    def _backfill(self) -> None:
        """A few of the productions that the store has and no event told of: an older spool, or none."""
        if self._unseen is None:
            keys = (key.removeprefix("upload/") for key in self.workspace.store.keys("upload/"))
            self._unseen = [key for key in keys if self.projection.production(key) is None]
        for _ in range(min(BACKFILL_AT_ONCE, len(self._unseen))):
            key = self._unseen.pop()
            if self.projection.production(key) is None:
                try:
                    view = view_production(self.workspace, key)
                except ArtifactError as error:
                    _log.warning("%s is left out: %s", key, error)
                    continue
                self.projection.put(status_from_store(view), summarize(view).artifacts.values())

    def _is_due(self, what: str, every_seconds: float) -> bool:
        if time.monotonic() < self._due[what]:
            return False
        self._due[what] = time.monotonic() + every_seconds
        return True


def _lane(workspace: Workspace, node_id: str) -> str:
    node = next(node for node in workspace.workflow.nodes if node.id == node_id)
    if node.spec.lane != "auto":
        return node.spec.lane
    return workspace.registry.lane_of(node.capability, node.spec.provider)


def _percent(nodes: list[NodeState], run_id: str) -> float | None:
    """Of the nodes of the newest run: those that ended, and what the running ones say."""
    mine = [node for node in nodes if node.run_id == run_id and node.status is not None]
    if not mine:
        return None
    done = sum(100.0 if node.status and node.status.is_terminal else node.percent or 0.0 for node in mine)
    return round(done / len(mine), 1)


def _since(at: str) -> float:
    """Seconds since an RFC 3339 time; 0 where there is none."""
    return max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0) if at else 0.0
