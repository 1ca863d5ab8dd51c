"""Where a provider's call runs: the lanes that ``settings.lanes`` binds, and the one on this machine.

A node's step says its lane; a node that leaves it open runs each provider where that provider wants to be. Not here:
slots across runs, which are the pools of the executor.
"""

import socket
from dataclasses import dataclass
from typing import Protocol

from contracts.errors import SparkleError
from contracts.events import Placement
from contracts.production import TaskRequest
from sparkle_dagster.artifacts.manifests import blobs_of
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.registry.artifact_refs import find_refs
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.process_host import Answer, Listeners, Place, run_attempt
from sparkle_dagster.registry.wire import AttemptOrder
from sparkle_dagster.settings import visible_device


class Lane(Protocol):
    """A place that runs attempts, with the store's bytes at hand."""

    def unavailable(self, candidate: ProviderCandidate) -> str | None:
        """Why a provider cannot run there now; None when it can."""
        ...

    def call(
        self, order: AttemptOrder, request: TaskRequest, timeout_seconds: float, listeners: Listeners
    ) -> tuple[Answer, Placement]:
        """Run an attempt; what it made is in the store.

        Args:
            request: that of the order.

        Raises:
            SparkleError: as ``process_host.run_attempt``, with the attribute ``placement`` too.
            ProviderUnavailable: the lane cannot be reached.
        """
        ...


@dataclass(frozen=True)
class LocalLane:
    """This machine's process host."""

    name: str
    store: ArtifactStore
    place: Place

    def unavailable(self, candidate: ProviderCandidate) -> str | None:
        return candidate.unavailable

    def call(
        self, order: AttemptOrder, request: TaskRequest, timeout_seconds: float, listeners: Listeners
    ) -> tuple[Answer, Placement]:
        placement = Placement(lane=self.name, kind="local", host=socket.gethostname(), device=visible_device())
        inputs = list(find_refs(request))
        self.store.stage(inputs)  # a provider's process reads and writes files of this machine
        try:
            answer = run_attempt(order, place=self.place, timeout_seconds=timeout_seconds, listeners=listeners)
        except SparkleError as error:
            vars(error).update(placement=placement)
            raise
        self.store.adopt(blobs_of({"result": answer.result, "inspections": answer.inspections}), inputs)
        return answer, placement
