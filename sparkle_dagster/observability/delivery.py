"""Moves events from the spool to the sinks, in a process beside the runs. A run never waits for a sink.

Each sink has its own thread, and a cursor on disk: the number of the last event it has. A sink that is down is tried
again, later and later; its events wait in the spool until that outgrows its bound, and then are counted as dropped.
"""

import fcntl
import json
import logging
import random
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from contracts.tool_registry import Sink
from sparkle_dagster.observability.sinks import Delivery, open_sink
from sparkle_dagster.observability.spool import EventSpool, SpooledEvent

BATCH = 500
POLL_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0

_log = logging.getLogger("sparkle.delivery")
_dice = random.SystemRandom()


@dataclass(frozen=True)
class Cursor:
    """How far a sink is; what stands on disk."""

    number: int = 0
    delivered: int = 0
    dropped: int = 0
    """Gone from the spool before the sink took them."""
    refused: int = 0
    """Handed over, and never to be taken; they stand in ``refused/<sink>.jsonl``."""
    error: str = ""
    """Why the last try failed; empty when it did not."""


class SinkMover:
    """One sink's deliveries. Safe to be built in several processes: only one of them delivers."""

    def __init__(self, name: str, sink: Delivery, spool: EventSpool, folder: Path) -> None:
        self.name = name
        self._sink = sink
        self._spool = spool
        self._folder = folder
        self._path = folder / "cursors" / f"{name}.json"
        self._failures = 0

    def deliver_once(self) -> bool:
        """One batch, when there is one and no other process is at it. Returns whether more may wait.

        Never raises for what a sink does; ``pause_seconds`` tells how long to wait then.
        """
        with self._alone() as is_ours:
            if not is_ours:
                return False
            cursor = read_cursor(self._folder, self.name)
            first = self._spool.first
            if cursor.number > self._spool.last:  # somebody removed the spool: its numbers begin again
                cursor = self._save(replace(cursor, number=0))
            if cursor.number < first - 1:
                cursor = self._save(
                    replace(cursor, number=first - 1, dropped=cursor.dropped + first - 1 - cursor.number)
                )
            events = self._spool.read(cursor.number, BATCH)
            if not events:
                return False
            if events[0].number > cursor.number + 1:  # removed between the two looks
                missing = events[0].number - 1 - cursor.number
                cursor = replace(cursor, number=events[0].number - 1, dropped=cursor.dropped + missing)
            try:
                refused = self._sink.deliver(events)
            except Exception as error:  # noqa: BLE001 - whatever a sink does, the others and the runs go on
                self._failures += 1
                self._save(replace(cursor, error=f"{type(error).__name__}: {error}"[:500]))
                if self._failures == 1:
                    _log.warning("sink %s: %s; its events wait in the spool", self.name, error)
                return False
            self._failures = 0
            self._set_aside(refused)
            self._save(
                Cursor(
                    number=events[-1].number,
                    delivered=cursor.delivered + len(events) - len(refused),
                    dropped=cursor.dropped,
                    refused=cursor.refused + len(refused),
                )
            )
            return True

    @property
    def pause_seconds(self) -> float:
        """Before the next look: longer with each failure, and never the same for many sinks at once."""
        if not self._failures:
            return POLL_SECONDS
        return min(2.0 ** (self._failures - 1), LONGEST_PAUSE_SECONDS) * _dice.uniform(0.5, 1.0)

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop."""
        while not stop.is_set():
            try:
                has_more = self.deliver_once()
            except OSError as error:  # the spool's own disk: nothing is lost, look again later
                _log.warning("sink %s: the spool cannot be read or its cursor not written: %s", self.name, error)
                has_more = False
            if not has_more:
                stop.wait(self.pause_seconds)

    def _set_aside(self, events: Sequence[SpooledEvent]) -> None:
        if events:
            path = self._folder / "refused" / f"{self.name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as stream:
                stream.writelines(item.event.as_json() + "\n" for item in events)

    def _save(self, cursor: Cursor) -> Cursor:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(cursor)), encoding="utf-8")
        temporary.replace(self._path)
        return cursor

    @contextmanager
    def _alone(self) -> Generator[bool]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


@dataclass(frozen=True)
class SinkState:
    """What an operator asks of a sink."""

    name: str
    kind: str
    waiting: int
    """Events in the spool that it has not had."""
    cursor: Cursor


def read_cursor(folder: Path, name: str) -> Cursor:
    """Where a sink stands; at the beginning when it never had anything."""
    try:
        return Cursor(**json.loads((folder / "cursors" / f"{name}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Cursor()


def movers(sinks: Sequence[Sink], spool: EventSpool, folder: Path, resolve: Callable[[str], Path]) -> list[SinkMover]:
    """One per sink that is delivered to."""
    opened = [(sink.name, open_sink(sink, resolve)) for sink in sinks]
    return [SinkMover(name, delivery, spool, folder) for name, delivery in opened if delivery is not None]


def sink_states(sinks: Sequence[Sink], spool: EventSpool, folder: Path) -> list[SinkState]:
    """Backlog and troubles of every sink that is delivered to."""
    last = spool.last
    cursors = [(sink, read_cursor(folder, sink.name)) for sink in sinks if sink.kind != "prometheus"]
    return [SinkState(sink.name, sink.kind, max(last - cursor.number, 0), cursor) for sink, cursor in cursors]
