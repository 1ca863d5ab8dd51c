"""What ``registry.resolve`` gives: a task whose ``run`` does selection, failover, deadline and verification."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import ContractViolation, ProviderFailed
from contracts.events import Attempt
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import Task
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.registry.attempts import AttemptPolicy, Lookup, Outcome, Ran, run_candidates
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.discovery import AnyTask
from sparkle_dagster.registry.lanes import Lane
from sparkle_dagster.registry.process_host import Answer, Listeners, OnProgress
from sparkle_dagster.registry.wire import AttemptOrder, ModelSpec, ProviderSpec


@dataclass(frozen=True)
class Resolution:
    """What was resolved: the candidates, how hard to try, and where attempts find things."""

    task: type[AnyTask]
    candidates: Sequence[ProviderCandidate]
    policy: AttemptPolicy
    timeout_seconds: float
    inspector: ProviderSpec | None
    store: ArtifactStore
    models: dict[str, ModelSpec]
    lane: str
    """``auto``: each provider runs where it wants to."""
    lanes: Mapping[str, Lane]


class ResolvedTask(Task[Any, Any]):
    """Also an instance of the capability's own task class, such as LipSyncTask."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution

    def run(self, request: TaskRequest) -> Any:
        """The verified result, of the capability's result type.

        Raises:
            SparkleError: with ``trace`` and ``attempts``; see ``sparkle_dagster.registry.attempts``.
        """
        return self.run_with_outcome(request).result

    async def arun(self, request: TaskRequest) -> Any:
        """As ``run``; cancelling it kills the provider's processes before the cancellation goes on."""
        stop = threading.Event()
        work = asyncio.ensure_future(asyncio.to_thread(self.run_with_outcome, request, stop=stop))
        try:
            return (await asyncio.shield(work)).result
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([work])
            work.exception()  # seen: AttemptStopped, or what ended it at the same moment
            raise

    def run_with_outcome(
        self,
        request: TaskRequest,
        *,
        on_progress: OnProgress | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
        logger: logging.Logger | None = None,
        stop: threading.Event | None = None,
        lookup: Lookup | None = None,
    ) -> Outcome:
        """As ``run``, with the resolution trace, the attempts and what inspection found.

        Args:
            on_progress: called with (done, total, note) in this thread.
            on_attempt: called after each attempt, in this thread.
            logger: takes what the provider logs and prints.
            lookup: asked before a candidate is started; a stored result is used in its place.
            stop: set it from another thread to kill the provider; AttemptStopped is raised then.
        """
        resolution = self.resolution
        wanted = resolution.task.request_type
        if not isinstance(request, wanted):
            raise ContractViolation(
                f"{resolution.task.capability}: expected a {wanted.__name__}, got {type(request).__name__}"
            )
        listeners = Listeners(on_progress, logger or logging.getLogger("sparkle.provider"), stop)

        def run_once(candidate: ProviderCandidate) -> Ran:
            order = self._order(candidate, _document(candidate.shown(request)))
            answer, placement = self._lane(candidate).call(order, request, resolution.timeout_seconds, listeners)
            return Ran(_parsed(answer, resolution.task, candidate), answer.inspections, answer.usage, placement)

        return run_candidates(
            resolution.task.capability,
            resolution.candidates,
            request,
            run_once,
            resolution.policy,
            on_attempt=on_attempt,
            stop=stop,
            lookup=lookup,
            unavailable=lambda candidate: self._lane(candidate).unavailable(candidate),
        )

    def _lane(self, candidate: ProviderCandidate) -> Lane:
        lane = self.resolution.lane
        return self.resolution.lanes[candidate.lane if lane == "auto" else lane]

    def _order(self, candidate: ProviderCandidate, request: dict[str, Any]) -> AttemptOrder:
        resolution = self.resolution
        return AttemptOrder(
            provider=candidate.spec,
            inspector=resolution.inspector,
            request=request,
            store_root=resolution.store.local_root,
            workspace=resolution.store.workspace,
            models=resolution.models,
        )


def resolved_task(resolution: Resolution) -> ResolvedTask:
    """A ResolvedTask that is an instance of ``resolution.task`` too."""
    kind = type(f"Resolved{resolution.task.__name__}", (ResolvedTask, resolution.task), {})
    return kind(resolution)


def _document(request: TaskRequest) -> dict[str, Any]:
    try:
        return request.model_dump(mode="json")
    except ValueError as error:
        raise ContractViolation(f"{type(request).__name__}: expected values that JSON can hold; {error}") from error


def _parsed(answer: Answer, task: type[AnyTask], candidate: ProviderCandidate) -> TaskResult:
    try:
        return task.result_type.parse(answer.result)
    except ContractViolation as error:
        raise ProviderFailed(f"{candidate.full_name}: its result breaks the contract: {error}") from error
