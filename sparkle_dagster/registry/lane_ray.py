"""The Ray lane: attempts run on the machines of a Ray cluster, hosted by one detached actor per slot.

Only ArtifactRefs cross: the host opens the same store by its own settings. Ray is used for finding machines, starting
actors and calling them; deadlines, kills and retries are ours (``max_task_retries`` is 0). Not here: the actor
(``_lane_host``).
"""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from contracts.base import digest_of
from contracts.errors import ProviderCrashed, ProviderUnavailable, SparkleError
from contracts.events import Placement, Usage
from contracts.production import TaskRequest
from contracts.tool_registry import Lane as LaneSettings
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.code_digest import code_digest
from sparkle_dagster.registry.process_host import Answer, Listeners
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from sparkle_dagster.registry.wire import ERROR_CLASSES, AttemptOrder
from sparkle_dagster.settings import export_ray_token, read_secret

Message = dict[str, Any]

NAMESPACE = "sparkle"
_PROBE_SECONDS = 2.0
_CONNECT_SECONDS = 90.0
_CONNECT_TIMES = 2  # a busy head gives a caller from outside half a minute to begin, then gives up
_START_SECONDS = 90.0
"""For a slot's actor to be placed and started, or to come back."""
_SOON_SECONDS = 10.0
"""After which the next slot is tried as well."""
_ANSWER_SECONDS = 30.0
_POLL_SECONDS = 0.5
_PAUSE_SECONDS = 0.2
_CALLERS = 32
"""Whose questions an actor answers at once."""
_connecting = threading.Lock()


@dataclass(frozen=True)
class Slot:
    """One whose actor answered."""

    number: int
    actor: Any
    facts: Message


@dataclass(frozen=True)
class RayLane:
    """``slots`` actors, each with its part of a GPU."""

    name: str
    settings: LaneSettings
    project: Path
    workspace: str

    def unavailable(self, candidate: ProviderCandidate) -> str | None:
        if candidate.forbidden is not None:
            return candidate.forbidden
        for name, model in candidate.models.items():
            if model is not None and model.sha256 is None:
                return (
                    f"the weights {name!r} lie on another machine (lane {self.name}), where only their SHA-256 says "
                    f"that they are the same; add sha256 to models.{name} in the tool registry"
                )
        try:
            with self._ray() as ray:
                slot = next(SlotActors(self, ray).answering(threading.Event()))
                asked = slot.actor.unavailable.remote(self.workspace, candidate.capability, candidate.name)
                answer: str | None = ray.get(asked, timeout=_ANSWER_SECONDS)
                return answer
        except SparkleError as error:
            return str(error)

    def call(
        self, order: AttemptOrder, request: TaskRequest, timeout_seconds: float, listeners: Listeners
    ) -> tuple[Answer, Placement]:
        name = f"{order.provider.capability}/{order.provider.name}"
        with self._ray() as ray:
            slot, call_id = self._started(ray, order, request.production.key, timeout_seconds, listeners)
            placement = Placement(
                lane=self.name, kind="ray", host=slot.facts["host"], slot=str(slot.number), device=slot.facts["device"]
            )
            try:
                end = self._followed(ray, slot.actor, call_id, name, listeners)
            except SparkleError as error:
                vars(error).update(placement=placement)
                raise
            except BaseException:
                with contextlib.suppress(Exception):
                    ray.get(slot.actor.stop.remote(call_id, _ANSWER_SECONDS), timeout=_ANSWER_SECONDS)
                raise
        if end["kind"] == "result":
            return Answer(end["result"], end["inspections"], Usage.model_validate(end["usage"])), placement
        raise _error(end, placement, name, self.settings.lease_s)

    def slots(self) -> Iterator[Message]:
        """What each slot's actor says of itself; actors of other code, or beyond ``slots``, are ``stale``."""
        with self._ray() as ray:
            own = [self._actor_name(slot) for slot in range(self.settings.slots)]
            there = {item["name"] for item in ray.util.list_named_actors(all_namespaces=True) if self._is_ours(item)}
            for slot, name in enumerate(own):
                yield {"slot": str(slot), "stale": False, **(self._described(ray, name) if name in there else {})}
            for name in sorted(there - set(own)):
                yield {"slot": name.split("-")[-2], "stale": True, **self._described(ray, name)}

    def restart(self, *, force: bool) -> tuple[int, int]:
        """End the actors of this installation, those of earlier code too; how many were ended and were left busy."""
        ended = busy = 0
        with self._ray() as ray:
            for item in ray.util.list_named_actors(all_namespaces=True):
                if not self._is_ours(item):
                    continue
                if self._described(ray, item["name"]).get("is_busy") and not force:
                    busy += 1
                    continue
                with contextlib.suppress(ValueError, ray.exceptions.RayError):
                    actor = ray.get_actor(item["name"], namespace=NAMESPACE)
                    ray.kill(actor, no_restart=True)  # what stays loaded there ends with it
                    ended += 1
        return ended, busy

    def _started(
        self, ray: Any, order: AttemptOrder, production: str, timeout_seconds: float, listeners: Listeners
    ) -> tuple[Slot, str]:
        """The slot that took the order, and the call's id."""
        document = order.model_dump_json()
        actors = SlotActors(self, ray)
        for slot in actors.answering(listeners.stop or threading.Event()):
            try:
                started = slot.actor.start.remote(document, production, timeout_seconds)
                call_id: str | None = ray.get(started, timeout=_ANSWER_SECONDS)
            except ray.exceptions.RayError:
                actors.forget(slot)
                continue
            if call_id is not None:
                return slot, call_id
        raise AssertionError  # it answers or raises

    def _followed(self, ray: Any, actor: Any, call_id: str, name: str, listeners: Listeners) -> Message:
        """Hand on what the provider says; how it ended."""
        while True:
            if listeners.stop is not None and listeners.stop.is_set():
                raise AttemptStopped
            try:
                news = ray.get(actor.poll.remote(call_id, _POLL_SECONDS), timeout=_ANSWER_SECONDS)
            except ray.exceptions.RayError as error:
                raise ProviderCrashed(
                    f"{name}: the machine or the actor that hosted it was lost: {_first_line(error)}"
                ) from error
            if news is None:
                raise ProviderCrashed(f"{name}: the actor that hosted it was lost and started again")
            for message in news["messages"]:
                if message["kind"] == "log":
                    listeners.logger.log(message["level"], "%s", message["message"])
                elif listeners.on_progress is not None:
                    listeners.on_progress(message["done"], message["total"], message["note"])
            if news["end"] is not None:
                end: Message = news["end"]
                return end

    def actor(self, ray: Any, slot: int) -> Any:
        """The slot's actor, which is made where there is none; it may not have started yet."""
        host: Any = import_module("sparkle_dagster.registry._lane_host").LaneHost
        return (
            ray.remote(host)
            .options(**self.actor_options(slot))
            .remote(self._project_there, self.name, slot, code_digest(), self.settings.lease_s)
        )

    def actor_options(self, slot: int) -> dict[str, Any]:
        """What the lane means to Ray: one actor that outlives its maker holds the slot's part of a GPU."""
        return {
            "name": self._actor_name(slot),
            "namespace": NAMESPACE,
            "get_if_exists": True,
            "lifetime": "detached",
            "num_gpus": self.settings.gpus_per_slot,
            "num_cpus": 0,
            "max_restarts": -1,
            "max_task_retries": 0,  # Ray would run a call again that was killed at its deadline
            "max_concurrency": _CALLERS,
        }

    def _described(self, ray: Any, name: str) -> Message:
        try:
            actor = ray.get_actor(name, namespace=NAMESPACE)
            facts: Message = ray.get(actor.describe.remote(), timeout=_PROBE_SECONDS)
        except (ValueError, ray.exceptions.RayError) as error:
            return {"refusal": f"does not answer: {_first_line(error)}"}
        return facts

    @property
    def _project_there(self) -> str:
        return self.settings.project or str(self.project)

    @property
    def _installation(self) -> str:
        return digest_of({"project": self._project_there, "here": str(self.project)})[:8]

    def _actor_name(self, slot: int) -> str:
        facts = {"code": code_digest(), "gpus": self.settings.gpus_per_slot, "lease_s": self.settings.lease_s}
        return f"sparkle-{self._installation}-{self.name}-{slot}-{digest_of(facts)[:12]}"

    def _is_ours(self, item: Message) -> bool:
        return item["namespace"] == NAMESPACE and item["name"].startswith(f"sparkle-{self._installation}-{self.name}-")

    @contextmanager
    def _ray(self) -> Generator[Any]:
        """Ray, connected. Raises: ProviderUnavailable, within seconds where nobody listens; no errors of Ray's."""
        self._probe()
        if self.settings.token is not None:
            export_ray_token(read_secret(self.settings.token.secret))  # Ray reads it when it is imported
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise ProviderUnavailable(f"lane {self.name}: ray is not installed; pip install 'sparkle[ray]'") from error
        with _connecting:
            if not ray.is_initialized():
                self._connect(ray)
        try:
            yield ray
        except ray.exceptions.RayError as error:
            raise ProviderUnavailable(f"lane {self.name}: its cluster did not answer: {_first_line(error)}") from error

    def _probe(self) -> None:
        """Ray itself would try for minutes, and not let itself be interrupted."""
        host, _, port = self.settings.address.rpartition("/")[2].rpartition(":")
        try:
            socket.create_connection((host, int(port)), _PROBE_SECONDS).close()
        except OSError as error:
            raise ProviderUnavailable(
                f"lane {self.name}: nobody answers at {self.settings.address} (settings.lanes.{self.name}.address): "
                f"{error}; start Ray there, or bind the lane to this machine with kind: local"
            ) from error

    def _connect(self, ray: Any) -> None:
        """In a thread of its own: in the main one Ray would take the handler of SIGTERM, which ends a run."""
        problems: list[BaseException] = []

        def connect() -> None:
            for left in reversed(range(_CONNECT_TIMES)):
                try:
                    ray.init(self.settings.address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
                except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
                    if left and isinstance(error, ConnectionError):
                        continue
                    problems.append(error)
                return

        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(_CONNECT_SECONDS)
        if problems or thread.is_alive():
            why = " ".join(str(problems[0]).split()) if problems else f"no answer within {_CONNECT_SECONDS:g} s"
            raise ProviderUnavailable(f"lane {self.name}: cannot join the cluster at {self.settings.address}: {why}")


class SlotActors:
    """Finds slots that answer, for one caller. A slot without one does not hold up the others."""

    def __init__(self, lane: RayLane, ray: Any) -> None:
        self._lane = lane
        self._ray = ray
        self._asked: dict[int, tuple[Any, Any]] = {}
        self._reasons: dict[int, str] = {}

    def answering(self, stop: threading.Event) -> Iterator[Slot]:
        """The lowest first, where weights are most likely to be loaded; round after round, while any answers.

        Raises:
            ProviderUnavailable: none did for the time that an actor has to start, or all serve other code.
            AttemptStopped: ``stop`` was set.
        """
        heard_at = time.monotonic()
        patience = _SOON_SECONDS
        while True:
            for number in range(self._lane.settings.slots):
                slot = self._answer(number, patience)
                if slot is not None:
                    yield slot
                    heard_at = time.monotonic() if number in self._asked else heard_at
            if len(self._reasons) == self._lane.settings.slots or time.monotonic() - heard_at > _START_SECONDS:
                self._give_up()
            patience = 0.0
            if stop.wait(_PAUSE_SECONDS * random.uniform(0.5, 1.5)):  # noqa: S311 - callers should not move in step
                raise AttemptStopped

    def forget(self, slot: Slot) -> None:
        """It answered no more; the next round asks it anew."""
        self._asked.pop(slot.number, None)

    def _answer(self, number: int, patience_seconds: float) -> Slot | None:
        if number not in self._asked:
            actor = self._lane.actor(self._ray, number)
            self._asked[number] = (actor, actor.describe.remote())
        actor, answer = self._asked[number]
        try:
            facts: Message = self._ray.get(answer, timeout=patience_seconds)
        except self._ray.exceptions.GetTimeoutError:
            return None
        except self._ray.exceptions.RayError:  # lost, and perhaps started again
            del self._asked[number]
            return None
        if facts["refusal"]:
            self._reasons[number] = facts["refusal"]
            return None
        return Slot(number, actor, facts)

    def _give_up(self) -> None:
        lane = self._lane
        reasons = "; ".join(dict.fromkeys(self._reasons.values()))
        if len(self._reasons) < lane.settings.slots:
            for actor, _ in self._asked.values():
                self._ray.kill(actor)  # or it would wait for a GPU for ever, and nobody would see why
            reasons = reasons or (
                f"no slot started within {_START_SECONDS:g} s: expected a machine of the cluster with "
                f"{lane.settings.gpus_per_slot:g} GPU free; see `sparkle lanes`, and `sparkle lanes --restart` ends "
                "actors of earlier code"
            )
        raise ProviderUnavailable(f"lane {lane.name}: {reasons}")


def _error(end: Message, placement: Placement, name: str, lease_seconds: float) -> SparkleError:
    """The error that ended a call on the other side."""
    if end["kind"] == "stopped":
        error: SparkleError = ProviderCrashed(
            f"{name}: it was killed since this process was not heard from for {lease_seconds:g} s (lease_s)"
        )
        end = {}
    else:
        error = ERROR_CLASSES.get(end["error"], ProviderCrashed)(end["message"])
    for note in end.get("notes", ()):
        error.add_note(note)
    vars(error).update(placement=placement, usage=Usage.model_validate(end.get("usage", {})))
    return error


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
