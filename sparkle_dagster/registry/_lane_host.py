"""One slot of a Ray lane: a detached actor that hosts attempts with the process host of its own machine.

A call is started, polled and stopped. Polling is also the caller's lease: a provider whose caller was not heard from
is killed. The actor itself runs no provider, so a crash or a hang costs the provider's process and nothing more.
"""

import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from contracts.errors import ConfigError, ProviderFailed, SparkleError
from contracts.events import Usage
from sparkle_dagster.registry.code_digest import code_digest
from sparkle_dagster.registry.lanes import LocalLane
from sparkle_dagster.registry.process_host import Listeners, Place
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.residents import Residents, ResidentState
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from sparkle_dagster.registry.wire import AttemptOrder, ModelSpec
from sparkle_dagster.settings import REGISTRY_FILE, Settings, load_settings, visible_device

Message = dict[str, Any]

_LOOK_SECONDS = 0.25
_MAX_MESSAGES = 4096
"""That a caller has not fetched; the oldest go."""


@dataclass
class HostedCall:
    """One attempt that runs here for a caller on another machine."""

    provider: str
    production: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    stop: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    messages: deque[Message] = field(default_factory=lambda: deque[Message](maxlen=_MAX_MESSAGES))
    end: Message | None = None
    since: float = field(default_factory=time.time)
    heard_at: float = field(default_factory=time.monotonic)

    def say(self, message: Message) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def finish(self, end: Message) -> None:
        with self.changed:
            self.end = end
            self.changed.notify_all()

    def fetch(self, wait_seconds: float) -> Message:
        """What is new, and the end where it has ended; waits a little for either."""
        self.heard_at = time.monotonic()
        with self.changed:
            self.changed.wait_for(lambda: self.messages or self.end, wait_seconds)
            news = list(self.messages)
            self.messages.clear()
            return {"messages": news, "end": self.end}


class LaneHost:
    """The actor's class. Its methods are called from several threads."""

    def __init__(self, project: str, lane: str, slot: int, code: str, lease_seconds: float) -> None:
        self._project = Path(project)
        self._lane = lane
        self._slot = slot
        self._lease_seconds = lease_seconds
        self._settings, self._refusal = self._own_settings(code)
        self._lock = threading.Lock()
        self._call: HostedCall | None = None
        self._registries: dict[str, ProviderRegistry] = {}
        self._calls = 0
        self._worker = ThreadPoolExecutor(1, "hosted")  # what a thread starts may end with it, so it stays
        threading.Thread(target=self._end_calls_of_the_dead, daemon=True).start()

    def describe(self) -> Message:
        """Where this is and what it does."""
        call = self._call
        is_busy = call is not None and call.end is None
        return {
            "host": socket.gethostname(),
            "process_id": os.getpid(),
            "device": visible_device(),
            "refusal": self._refusal,
            "is_busy": is_busy,
            "provider": call.provider if call and is_busy else "",
            "production": call.production if call and is_busy else "",
            "since": call.since if call and is_busy else 0.0,
            "calls": self._calls,
            "residents": [asdict(state) for state in self._residents() if state.owner == os.getpid()],
        }

    def unavailable(self, workspace: str, capability: str, provider: str) -> str | None:
        """Why a provider cannot run on this machine."""
        if self._refusal:
            return self._refusal
        try:
            (candidate,) = self._registry(workspace).candidates(capability, enabled=True, provider=provider)
        except SparkleError as error:
            return f"{socket.gethostname()}: {error}"
        return candidate.unavailable

    def start(self, order: str, production: str, timeout_seconds: float) -> str | None:
        """Begin an attempt; its id, or None while another runs."""
        parsed = AttemptOrder.model_validate_json(order)
        call = HostedCall(f"{parsed.provider.capability}/{parsed.provider.name}", production)
        with self._lock:
            if self._call is not None and self._call.end is None:
                return None
            self._call = call
            self._calls += 1
        self._worker.submit(self._run, call, parsed, timeout_seconds)
        return call.id

    def poll(self, call_id: str, wait_seconds: float) -> Message | None:
        """See ``HostedCall.fetch``; None where the call is not known, as after a restart."""
        call = self._call
        return call.fetch(wait_seconds) if call is not None and call.id == call_id else None

    def stop(self, call_id: str, wait_seconds: float) -> bool:
        """Kill an attempt; whether it has ended."""
        call = self._call
        if call is None or call.id != call_id:
            return True
        call.stop.set()
        with call.changed:
            return call.changed.wait_for(lambda: call.end is not None, wait_seconds)

    def _run(self, call: HostedCall, order: AttemptOrder, timeout_seconds: float) -> None:
        end: Message = {"kind": "stopped"}
        try:
            end = self._answer(call, order, timeout_seconds)
        except AttemptStopped:
            pass
        except SparkleError as error:
            usage: Usage = getattr(error, "usage", Usage())
            notes = list(getattr(error, "__notes__", ()))
            end = {"kind": "error", "error": type(error).__name__, "message": str(error), "notes": notes}
            end["usage"] = usage.model_dump(mode="json")
        except Exception as error:  # noqa: BLE001 - whatever happens here, the caller must hear of it
            message = f"{call.provider}: its host failed: {type(error).__name__}: {error}"
            end = {"kind": "error", "error": ProviderFailed.__name__, "message": message, "notes": [], "usage": {}}
        finally:
            call.finish(end)

    def _answer(self, call: HostedCall, order: AttemptOrder, timeout_seconds: float) -> Message:
        registry = self._registry(order.workspace)
        store = registry.store()
        residents = replace(registry.residents, owner=os.getpid())
        place = Place(registry.project_settings.home / "scratch", residents)
        own = order.model_copy(update={"store_root": store.local_root, "models": self._weights(registry, order)})
        request = registry.task(order.provider.capability).request_type.parse(order.request)
        listeners = Listeners(
            lambda done, total, note: call.say({"kind": "progress", "done": done, "total": total, "note": note}),
            _logger(call),
            call.stop,
        )
        answer, _ = LocalLane(self._lane, store, place).call(own, request, timeout_seconds, listeners)
        return {
            "kind": "result",
            "result": answer.result,
            "inspections": answer.inspections,
            "usage": answer.usage.model_dump(mode="json"),
        }

    def _weights(self, registry: ProviderRegistry, order: AttemptOrder) -> dict[str, ModelSpec]:
        """This machine's files; they must be the bytes that the caller knows."""
        digests = {name: model.sha256 for name, model in order.models.items() if model.sha256}
        return {
            name: model.model_copy(update={"sha256": digests.get(name, model.sha256)})
            for name, model in registry.models.items()
        }

    def _registry(self, workspace: str) -> ProviderRegistry:
        """This machine's, by its own settings; read once."""
        if workspace not in self._registries:
            if self._settings is None:
                raise ConfigError(self._refusal)
            if str(self._project) not in sys.path:
                sys.path.append(str(self._project))  # where `use: "my_module:MyProvider"` finds a module of the user's
            file = self._settings.project / REGISTRY_FILE
            self._registries[workspace] = ProviderRegistry.from_config(file, workspace, self._settings)
        return self._registries[workspace]

    def _residents(self) -> list[ResidentState]:
        return Residents(self._settings.home, 0.0).states() if self._settings else []

    def _own_settings(self, code: str) -> tuple[Settings | None, str]:
        """Where the project's parts are on this machine; or why it cannot serve."""
        if code_digest() != code:
            return None, (
                f"expected Sparkle's code {code} on {socket.gethostname()}, found {code_digest()}; install the same "
                "version there, then: sparkle lanes --restart"
            )
        try:
            return load_settings(self._project), ""
        except ConfigError as error:
            return None, f"{socket.gethostname()}: {error}"

    def _end_calls_of_the_dead(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            call = self._call
            if call and call.end is None and time.monotonic() - call.heard_at > self._lease_seconds:
                call.stop.set()


class _CallLogHandler(logging.Handler):
    def __init__(self, call: HostedCall) -> None:
        super().__init__()
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        self._call.say({"kind": "log", "level": record.levelno, "message": self.format(record)})


def _logger(call: HostedCall) -> logging.Logger:
    logger = logging.Logger(f"sparkle.lane.{call.id}", logging.DEBUG)
    logger.addHandler(_CallLogHandler(call))
    return logger
