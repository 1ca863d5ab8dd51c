"""How long nodes took in this installation, and from that what the next run of one will take."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

from contracts.errors import ArtifactError
from contracts.events import NodeStatus
from sparkle_dagster.workspace import Workspace

MOST_PRODUCTIONS = 50
"""Of which the past is read for one estimate."""
MOST_RUNS, MOST_GENERATIONS = 3, 20
"""Of one production's asset: so many runs count, and so many generations are looked at for them."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of one node's run: the middle of what was seen, and its ends."""

    seconds: float
    least: float
    most: float
    count: int
    """Runs that it is made from."""


class History:
    """Runs of the workspace's productions, read when first asked for; seconds are told per second of voice."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._samples: dict[tuple[str, str], list[float]] | None = None

    def estimate(self, node_id: str, provider: str, voice_seconds: float) -> Estimate | None:
        """None where this provider never made this node here."""
        if self._samples is None:
            self._samples = {}
            for key, ratio in self._read():
                self._samples.setdefault(key, []).append(ratio)
        found = [ratio * max(voice_seconds, 0.1) for ratio in self._samples.get((node_id, provider), [])]
        return Estimate(median(found), min(found), max(found), len(found)) if found else None

    def _read(self) -> Iterator[tuple[tuple[str, str], float]]:
        store, assets = self._workspace.store, [node.asset_key for node in self._workspace.workflow.nodes]
        for key in store.keys("upload/")[-MOST_PRODUCTIONS:]:
            production = key.removeprefix("upload/")
            try:
                voice = voice_seconds_of(store.read(key).document["result"])
            except ArtifactError:
                continue
            for asset in assets:
                for record in islice(self._ran(f"{asset}/{production}"), MOST_RUNS):
                    yield (record["node_id"], record["provider"]), record["latency_ms"] / 1000 / max(voice, 0.1)

    def _ran(self, key: str) -> Iterator[dict[str, Any]]:
        """Records of generations that a provider made, newest first; those that were found stored tell nothing."""
        for generation in reversed(self._workspace.store.generations(key)[-MOST_GENERATIONS:]):
            try:
                record: dict[str, Any] = self._workspace.store.read(key, generation).document["record"]
            except ArtifactError:
                continue
            if record["status"] == NodeStatus.SUCCEEDED.value:
                yield record


def voice_seconds_of(upload: dict[str, Any]) -> float:
    """Length of the recording of an upload's document."""
    media = upload["audio_track"].get("media") or {}
    return float(media.get("duration_seconds") or 0)
