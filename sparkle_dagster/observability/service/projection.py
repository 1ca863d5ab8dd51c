"""What the events and runs so far add up to, kept in a small database of its own: status, counters, history.

It can be removed at any time: it is made again from the spool, the store and Dagster's runs. One thread writes.
"""

import json
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.base import least
from contracts.events import NodeEvent, NodeStatus
from contracts.status import NodeState, ProductionStatus
from sparkle_dagster.observability.run_events import now
from sparkle_dagster.observability.service.history import History
from sparkle_dagster.observability.spool import SpooledEvent
from sparkle_dagster.observability.store_status import Facts

LAYOUT = 1
"""Another number makes the database anew."""
LATENCY_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
ACTIVE = frozenset({"queued", "running"})
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE productions (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, updated_at TEXT NOT NULL, words TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX productions_by_state ON productions (state, updated_at);
CREATE INDEX productions_by_time ON productions (updated_at);
CREATE TABLE runs (run_id TEXT PRIMARY KEY, production TEXT NOT NULL, status TEXT NOT NULL, lost INTEGER NOT NULL);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE counters (name TEXT, labels TEXT, value REAL NOT NULL, PRIMARY KEY (name, labels));
CREATE TABLE artifacts (digest TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE durations (node TEXT, provider TEXT, latency_s REAL, voice_s REAL, number INTEGER);
CREATE INDEX durations_by_node ON durations (node, provider, number);
"""


class Projection:
    """Readers use it from any thread."""

    def __init__(self, path: Path, node_ids: Sequence[str]) -> None:
        """
        Args:
            node_ids: every node of a production, in order, ``upload`` and ``report`` included.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._node_ids = tuple(node_ids)
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._lay_out()
        self.history = History(self._base, self._lock)

    def close(self) -> None:
        self._base.close()

    @property
    def number(self) -> int:
        """Of the newest event that was applied."""
        return self._fact("number")

    def rewind(self) -> None:
        """The spool was removed: its numbers begin again."""
        with self._writing() as base:
            base.execute("INSERT OR REPLACE INTO facts VALUES ('number', 0)")

    def apply(self, items: Iterable[SpooledEvent], facts: Mapping[tuple[str, str], Facts]) -> None:
        """Take in events, in the order of their numbers; one that was taken in before changes nothing.

        Args:
            facts: (production, node) -> what the store holds since that node ended.
        """
        with self._writing() as base:
            for item in items:
                if item.number <= self.number:
                    continue
                self._apply(item, facts.get((item.event.production, item.event.node_id), Facts()))
                base.execute("INSERT OR REPLACE INTO facts VALUES ('number', ?)", (item.number,))

    def put(self, status: ProductionStatus, artifacts: Iterable[ArtifactRef] = ()) -> None:
        """Set a production as a whole, as the store has it."""
        with self._writing():
            self._put(status)
            self._keep(artifacts)

    def apply_run(self, run_id: str, production: str, status: str, *, is_lost: bool, nodes: Iterable[str]) -> None:
        """Take in a run as Dagster has it.

        Args:
            status: queued, started, succeeded, failed or cancelled.
            nodes: what it is to make; they are queued until an event says more, also when the run has started already.
        """
        with self._writing() as base:
            before = base.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            base.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", (run_id, production, status, int(is_lost)))
            found = self.production(production)
            is_new = before is None and (found is None or found.run_id != run_id)
            if status in {"queued", "started"} and is_new and production:
                current = found or self._empty(production)
                queued = {node: NodeState(node_id=node, status=NodeStatus.QUEUED, run_id=run_id) for node in nodes}
                changed = [queued.get(node.node_id, node) for node in current.nodes]
                changes = {"nodes": tuple(changed), "run_id": run_id, "updated_at": now()}
                self._put(_whole(current.model_copy(update=changes)))

    def production(self, key: str) -> ProductionStatus | None:
        found = self._rows("SELECT document FROM productions WHERE key = ?", key)
        return ProductionStatus.parse_json(found[0][0]) if found else None

    def in_flight(self) -> list[ProductionStatus]:
        """Queued and running, oldest first."""
        rows = self._rows(
            "SELECT document FROM productions WHERE state IN ('queued', 'running') ORDER BY updated_at, key"
        )
        return [ProductionStatus.parse_json(row[0]) for row in rows]

    def search(self, words: str = "", state: str = "", limit: int = 50, offset: int = 0) -> list[ProductionStatus]:
        """Productions whose key or title has all words, newest first."""
        conditions, values = ["1"], list[Any]()
        for word in words.lower().split():
            conditions.append("instr(words, ?)")
            values.append(word)
        if state:
            conditions.append("state = ?")
            values.append(state)
        rows = self._rows(
            f"SELECT document FROM productions WHERE {' AND '.join(conditions)} "  # noqa: S608 - conditions are ours
            "ORDER BY updated_at DESC, key LIMIT ? OFFSET ?",
            *values,
            limit,
            offset,
        )
        return [ProductionStatus.parse_json(row[0]) for row in rows]

    def counts(self) -> dict[str, int]:
        """state -> productions."""
        return dict(self._rows("SELECT state, count(*) FROM productions GROUP BY state"))

    def run_counts(self) -> dict[str, int]:
        """status -> runs, with ``lost`` for those whose process was found dead."""
        found = dict(self._rows("SELECT status, count(*) FROM runs GROUP BY status"))
        return {**found, "lost": self._rows("SELECT count(*) FROM runs WHERE lost")[0][0]}

    def lost_runs(self, limit: int = 10) -> tuple[str, ...]:
        rows = self._rows("SELECT run_id FROM runs WHERE lost ORDER BY rowid DESC LIMIT ?", limit)
        return tuple(row[0] for row in rows)

    def active_runs(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT run_id FROM runs WHERE status IN ('queued', 'started')")]

    def counters(self, name: str) -> list[tuple[tuple[str, ...], float]]:
        """(labels, value) of every counter of this name."""
        rows = self._rows("SELECT labels, value FROM counters WHERE name = ? ORDER BY labels", name)
        return [(tuple(json.loads(row[0])), row[1]) for row in rows]

    def artifact(self, digest: str) -> ArtifactRef | None:
        found = self._rows("SELECT document FROM artifacts WHERE digest = ?", digest)
        return ArtifactRef.parse_json(found[0][0]) if found else None

    def _apply(self, item: SpooledEvent, facts: Facts) -> None:
        event = item.event
        before = self.production(event.production) or self._empty(event.production)
        nodes = {node.node_id: node for node in before.nodes}
        known = nodes.get(event.node_id, NodeState(node_id=event.node_id))
        begins = event.status in {NodeStatus.QUEUED, NodeStatus.RUNNING}
        if begins or known.run_id in {"", event.run_id}:  # else: a late word of a run that was followed by another
            nodes[event.node_id] = _moved(known, event)
        changes: dict[str, Any] = {"nodes": tuple(nodes.values()), "updated_at": event.at, "event": item.number}
        changes |= {name: value for name, value in vars(facts).items() if value}
        if begins and event.node_id == "qa":
            changes["verdict"] = ""
        if begins:
            changes["run_id"] = event.run_id
        self._put(_whole(before.model_copy(update=changes)))
        self._count(event)
        if event.status.is_terminal:
            self._keep(event.artifacts)
        if event.status is NodeStatus.SUCCEEDED:
            voice_seconds = changes.get("duration_seconds") or before.duration_seconds
            self.history.add(event.node_id, event.provider, event.latency_ms / 1000, voice_seconds, item.number)

    def _count(self, event: NodeEvent) -> None:
        self._add("node_runs", (event.node_id, event.provider, event.status.value))
        if not event.status.is_terminal:
            return
        for provider in event.failed_over:
            self._add("failovers", (event.node_id, provider))
        if event.cache is not None:
            self._add("cache", (event.node_id, event.cache))
        self._add("retries", (event.node_id,), event.retries)
        self._add("artifact_bytes", (event.node_id,), sum(ref.size_bytes for ref in event.artifacts))
        self._add("cpu_seconds", (event.node_id, event.provider), event.cpu_s or 0.0)
        if event.status is NodeStatus.SUCCEEDED:
            seconds = event.latency_ms / 1000
            for bucket in LATENCY_BUCKETS_S:
                if seconds <= bucket:
                    self._add("latency_bucket", (event.node_id, event.provider, str(bucket)))
            self._add("latency_count", (event.node_id, event.provider))
            self._add("latency_sum", (event.node_id, event.provider), seconds)

    def _add(self, name: str, labels: tuple[str, ...], value: float = 1.0) -> None:
        if value:
            self._base.execute(
                "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (name, json.dumps(labels), value),
            )

    def _put(self, status: ProductionStatus) -> None:
        words = f"{status.production} {status.title}".lower()
        self._base.execute(
            "INSERT OR REPLACE INTO productions VALUES (?, ?, ?, ?, ?)",
            (status.production, status.state, status.updated_at, words, status.model_dump_json()),
        )

    def _keep(self, artifacts: Iterable[ArtifactRef]) -> None:
        self._base.executemany(
            "INSERT OR REPLACE INTO artifacts VALUES (?, ?)", [(ref.digest, ref.model_dump_json()) for ref in artifacts]
        )

    def _empty(self, key: str) -> ProductionStatus:
        nodes = tuple(NodeState(node_id=node_id) for node_id in self._node_ids)
        return ProductionStatus(production=key, state="queued", nodes=nodes)

    def _fact(self, name: str) -> int:
        found = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return int(found[0][0]) if found else 0

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """All of it, or nothing."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def _lay_out(self) -> None:
        if self._base.execute("PRAGMA user_version").fetchone()[0] == LAYOUT:
            return
        names = [row[0] for row in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            self._base.execute(f"DROP TABLE {name}")
        self._base.executescript(_TABLES)
        self._base.execute(f"PRAGMA user_version = {LAYOUT}")


def _moved(node: NodeState, event: NodeEvent) -> NodeState:
    """The node after an event."""
    changes: dict[str, Any] = {"status": event.status, "run_id": event.run_id}
    match event.status:
        case NodeStatus.QUEUED:
            return NodeState(node_id=node.node_id, queued_at=event.at, **changes)
        case NodeStatus.RUNNING:
            queued_at = node.queued_at if node.run_id == event.run_id else ""
            return NodeState(
                node_id=node.node_id, queued_at=queued_at, started_at=event.at, queue_ms=event.queue_ms, **changes
            )
        case NodeStatus.RETRYING:
            attempt = {"attempt": event.retries + 2, "provider": event.provider}
            return node.model_copy(update={**changes, **attempt, "error": event.error, "message": event.message})
        case _:
            changes |= {
                "provider": event.provider,
                "attempt": event.retries + 1,
                "ended_at": event.at,
                "latency_ms": event.latency_ms,
                "fidelity": event.fidelity,
                "error": event.error,
                "message": event.message,
            }
            return node.model_copy(update=changes)


def _whole(status: ProductionStatus) -> ProductionStatus:
    """With the state and fidelity that follow from its nodes."""
    states = {node.status for node in status.nodes if node.status is not None}
    of_this_run = {node.status for node in status.nodes if node.run_id == status.run_id}
    known = [node.fidelity for node in status.nodes if node.fidelity is not None]
    return status.model_copy(
        update={
            "state": _state(states, of_this_run),
            "fidelity": least(*known) if known else None,
            "percent": None,
            "eta": None,
        }
    )


def _state(states: set[NodeStatus], of_this_run: set[NodeStatus | None]) -> str:
    if not states or of_this_run == {NodeStatus.QUEUED}:
        return "queued"
    if states & {NodeStatus.RUNNING, NodeStatus.RETRYING, NodeStatus.QUEUED}:
        return "running"
    for status in (NodeStatus.FAILED, NodeStatus.CANCELLED):
        if status in states:
            return status.value
    return "succeeded"
