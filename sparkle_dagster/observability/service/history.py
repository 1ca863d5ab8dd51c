"""How long nodes took here before, and so how long the rest of a production will take."""

import sqlite3
import statistics
import threading
from collections.abc import Mapping, Sequence

from contracts.events import NodeStatus
from contracts.status import Eta, NodeState

KEPT = 200
"""The newest of each node and provider."""
FEWEST = 3
"""Fewer runs say nothing."""


class History:
    """Seconds per second of voice, by node and provider; a node that does not know the voice counts as it is."""

    def __init__(self, base: sqlite3.Connection, lock: threading.RLock) -> None:
        self._base = base
        self._lock = lock

    def add(self, node: str, provider: str, latency_seconds: float, voice_seconds: float, number: int) -> None:
        """Inside a transaction of the caller's."""
        self._base.execute(
            "INSERT INTO durations VALUES (?, ?, ?, ?, ?)", (node, provider, latency_seconds, voice_seconds, number)
        )
        self._base.execute(
            "DELETE FROM durations WHERE node = ? AND provider = ? AND number <= ("
            "SELECT number FROM durations WHERE node = ? AND provider = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (node, provider, node, provider, KEPT),
        )

    def expected(self, node: str, voice_seconds: float) -> Eta | None:
        """How long a whole run of ``node`` takes with the provider that it last ran with; None: too few to tell."""
        with self._lock:
            rows = self._base.execute(
                "SELECT latency_s, voice_s FROM durations WHERE node = ? AND provider = ("
                "SELECT provider FROM durations WHERE node = ? ORDER BY number DESC LIMIT 1) ORDER BY number",
                (node, node),
            ).fetchall()
        if len(rows) < FEWEST:
            return None
        seconds = [took * voice_seconds / voice if voice and voice_seconds else took for took, voice in rows]
        tenths = statistics.quantiles(seconds, n=10, method="inclusive")
        middle, low, high = (round(value, 2) for value in (statistics.median(seconds), tenths[0], tenths[8]))
        return Eta(seconds=middle, low_seconds=low, high_seconds=high, samples=len(rows))


def remaining(node: NodeState, expected: Eta | None, elapsed_seconds: float) -> Eta | None:
    """What is left of a node that runs or waits; its own percentage counts as soon as there is enough of it."""
    if expected is None:
        return None
    done = elapsed_seconds if node.status in {NodeStatus.RUNNING, NodeStatus.RETRYING} else 0.0
    if node.percent is not None and node.percent >= 10 and done > 0:
        left = done * (100 - node.percent) / node.percent
        spread = left / max(expected.seconds, 1e-6)
        low, high = expected.low_seconds * spread, expected.high_seconds * spread
        return _eta(left, min(low, left), max(high, left), expected.samples)
    seconds, low, high = (
        max(value - done, 0.0) for value in (expected.seconds, expected.low_seconds, expected.high_seconds)
    )
    return _eta(seconds, low, high, expected.samples)


def whole(
    nodes: Sequence[NodeState], left: Mapping[str, Eta | None], upstream: Mapping[str, Sequence[str]]
) -> Eta | None:
    """The longest way through what is left; None while one node on it cannot be told."""
    waiting = [node.node_id for node in nodes if node.status is not None and not node.status.is_terminal]
    known = {name: eta for name in waiting if (eta := left.get(name)) is not None}
    if not waiting or len(known) < len(waiting):
        return None
    ends: dict[str, tuple[float, float, float]] = {}
    for name, own in known.items():
        before = [ends[source] for source in upstream.get(name, ()) if source in ends]
        starts = [max((end[column] for end in before), default=0.0) for column in range(3)]
        ends[name] = (starts[0] + own.seconds, starts[1] + own.low_seconds, starts[2] + own.high_seconds)
    longest = [max(end[column] for end in ends.values()) for column in range(3)]
    return _eta(longest[0], longest[1], longest[2], min(eta.samples for eta in known.values()))


def _eta(seconds: float, low: float, high: float, samples: int) -> Eta:
    return Eta(seconds=round(seconds, 1), low_seconds=round(low, 1), high_seconds=round(high, 1), samples=samples)
