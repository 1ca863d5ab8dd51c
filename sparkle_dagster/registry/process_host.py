"""Running one attempt of a provider in a process of its own. Not here: which provider, and what follows a failure.

``run_attempt`` has a supervisor fork the worker, and returns when the whole tree is gone: after an answer, at the
deadline, or because the caller is being interrupted. A *warm* provider is asked in its resident process, which stays
after an answer and ends in the other cases. The attempt's folder is removed in every case.
"""

import contextlib
import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from contracts.errors import ProviderCrashed, ProviderTimeout, SparkleError
from contracts.events import Usage
from sparkle_dagster.registry._bounded_log import LOG_NAME
from sparkle_dagster.registry.fork_server import fork_server
from sparkle_dagster.registry.residents import Residents
from sparkle_dagster.registry.supervised_tree import NotServed, SupervisedTree
from sparkle_dagster.registry.wire import ATTEMPT_VARIABLE, AttemptOrder, Call, error_from
from sparkle_dagster.settings import provider_environment

Message = dict[str, Any]

_LOG_SHOWN_BYTES = 8192
_LAST_WORDS_CHARS = 300
_START_SECONDS = 60.0
_RESIDENT_TRIES = 5
"""One is refused where its code has changed since it was loaded, or it was just about to end."""


class OnProgress(Protocol):
    def __call__(self, done: float, total: float, note: str, /) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What a provider's process gave back: documents, not yet contracts."""

    result: Message
    inspections: dict[str, Message]
    usage: Usage


@dataclass(frozen=True)
class Listeners:
    """Who hears of an attempt while it runs, and who may stop it."""

    on_progress: OnProgress | None
    logger: logging.Logger
    stop: threading.Event | None


@dataclass(frozen=True)
class Place:
    """Where attempts of a workspace run."""

    scratch: Path
    """Below it each attempt gets its own folder."""
    residents: Residents


def run_attempt(order: AttemptOrder, *, place: Place, timeout_seconds: float, listeners: Listeners) -> Answer:
    """Run a provider once.

    Args:
        timeout_seconds: counts from when the work starts; a resident may have others to serve before.

    Raises:
        SparkleError: as the provider raised it; with the attribute ``usage``.
        ProviderTimeout, ProviderCrashed, ProviderFailed: it did not answer, or not as it must.
        AttemptStopped: ``listeners.stop`` was set.
    """
    place.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="", dir=place.scratch))
    try:
        if order.provider.warm:
            messages = _ask_resident(order, folder, timeout_seconds, place.residents, listeners)
        else:
            messages = _ask_once(order, folder, timeout_seconds, listeners)
        if left := messages.get("end", {}).get("left"):
            listeners.logger.warning("%s: %d of its processes could not be killed", _name(order), left)
        log = _log_tail(folder)
        if log:
            listeners.logger.info("%s printed:\n%s", _name(order), log)
        return _answer(messages, order, timeout_seconds, log)
    finally:
        _remove(folder)


def _ask_once(order: AttemptOrder, folder: Path, timeout_seconds: float, listeners: Listeners) -> dict[str, Message]:
    """By a process that is there for this attempt only."""
    call = _call(order, folder, timeout_seconds, {**provider_environment(), ATTEMPT_VARIABLE: str(folder)})
    preload = (*order.provider.preload, *(order.inspector.preload if order.inspector else ()))
    tree = SupervisedTree(fork_server.connect(preload), call, timeout_seconds, _START_SECONDS)
    try:
        return _listen(tree, listeners)
    except NotServed:
        return {}
    finally:
        tree.close()


def _ask_resident(
    order: AttemptOrder, folder: Path, timeout_seconds: float, residents: Residents, listeners: Listeners
) -> dict[str, Message]:
    """By the process that keeps this provider's instance; it is started where none runs."""
    environment = provider_environment()
    for _ in range(_RESIDENT_TRIES):
        resident = residents.of(order, environment)
        call = _call(order, folder, timeout_seconds, environment)
        connection = resident.connect(listeners.stop or threading.Event())
        tree = SupervisedTree(connection, call, timeout_seconds, None)
        try:
            return _listen(tree, listeners)
        except NotServed:
            continue
        finally:
            tree.close()
    raise ProviderCrashed(f"{_name(order)}: its resident process ended {_RESIDENT_TRIES} times before it began to work")


def _call(order: AttemptOrder, folder: Path, timeout_seconds: float, environment: dict[str, str]) -> bytes:
    call = Call(folder=folder, timeout_seconds=timeout_seconds, environment={**environment, "TMPDIR": str(folder)})
    return call.model_dump_json().encode() + b"\n" + order.model_dump_json().encode() + b"\n"


def _listen(tree: SupervisedTree, listeners: Listeners) -> dict[str, Message]:
    """Hand on progress and log records; the last ``result``, ``error`` and ``end`` by their kind."""
    kept: dict[str, Message] = {}
    for message in tree.messages(listeners.stop):
        match message.get("kind"):
            case "progress":
                if listeners.on_progress is not None:
                    listeners.on_progress(message["done"], message["total"], message["note"])
            case "log":
                listeners.logger.log(message["level"], "%s", message["message"])
            case "result" | "error" | "end" as kind:
                kept[kind] = message
            case _:
                pass
    return kept


def _answer(messages: dict[str, Message], order: AttemptOrder, timeout_seconds: float, log: str) -> Answer:
    usage = _usage(messages)
    if "result" in messages:
        return Answer(messages["result"]["result"], messages["result"]["inspections"], usage)
    error = _error(messages, _name(order), timeout_seconds, log)
    vars(error).update(usage=usage)
    if log:
        error.add_note(f"{_name(order)} printed:\n{log}")
    raise error


def _usage(messages: dict[str, Message]) -> Usage:
    measured = {**messages.get("end", {}), **messages.get("result", {})}
    return Usage.model_validate({name: measured.get(name) or None for name in Usage.model_fields})


def _error(messages: dict[str, Message], name: str, timeout_seconds: float, log: str) -> SparkleError:
    if "error" in messages:
        return error_from(messages["error"], name)
    end = messages.get("end")
    if end is None:
        return ProviderCrashed(f"{name}: its supervising process was lost; its processes were killed{_last_words(log)}")
    if end["reason"] == "timeout":
        return ProviderTimeout(f"{name}: expected an answer within {timeout_seconds:g} s, got none; it was killed")
    if end["signal"] == signal.SIGXCPU:
        return ProviderCrashed(f"{name}: expected less processor time than it is allowed, got more; it was ended")
    if end["reason"] == "stopped":
        return ProviderCrashed(
            f"{name}: its processes were killed with the process that started them{_last_words(log)}"
        )
    if end["signal"]:
        found = signal.Signals(end["signal"]).name
        memory = "; if nobody killed it, the machine ran out of memory" if end["signal"] == signal.SIGKILL else ""
        return ProviderCrashed(f"{name}: its process was ended by {found}{memory}{_last_words(log)}")
    return ProviderCrashed(f"{name}: its process ended with code {end['exit_code']} and no answer{_last_words(log)}")


def _last_words(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return f"; its last words: {lines[-1][:_LAST_WORDS_CHARS]}" if lines else ""


def _log_tail(folder: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return (folder / LOG_NAME).read_bytes()[-_LOG_SHOWN_BYTES:].decode(errors="replace").strip()
    return ""


def _name(order: AttemptOrder) -> str:
    return f"{order.provider.capability}/{order.provider.name}"


def _remove(folder: Path) -> None:
    """Also where a provider took away its own rights to a folder."""

    def again(function: Callable[..., object], path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(0o700)
            Path(path).chmod(0o700)
            function(path)

    shutil.rmtree(folder, onerror=again)
