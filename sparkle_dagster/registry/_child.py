"""The worker: builds one provider, runs it, has its output inspected, and answers. Runs below a supervisor.

``work`` does so once; ``serve`` keeps the instance and goes on.
"""

import contextlib
import faulthandler
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from contracts.artifacts import ArtifactRef
from contracts.context import ModelFile, ProviderContext
from contracts.errors import NotApplicable, ProviderRejected
from contracts.media import InspectionRequest, InspectionResult
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.registry._judged_result import Inspect, RecordingArtifacts, judge
from sparkle_dagster.registry._loaded_code import LoadedCode
from sparkle_dagster.registry.artifact_refs import find_refs
from sparkle_dagster.registry.discovery import AnyTask, load_class
from sparkle_dagster.registry.wire import MAX_ANSWER_BYTES, AttemptOrder, Call, ProviderSpec, error_message
from sparkle_dagster.settings import become_environment

ORDER_NAME = "order.json"
_CALL_BYTES = 64 * 1024
_TRACE_CHARS = 4000
_LOG_CHARS = 4000
_LOG_RECORDS = 2000
_PROGRESS_SECONDS = 0.1


class Channel:
    """JSON lines to the platform, from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        if len(line) > MAX_ANSWER_BYTES:
            raise ValueError(f"expected an answer of at most {MAX_ANSWER_BYTES} bytes, got {len(line)}")
        with self._lock:
            while line:
                line = line[os.write(self._fd, line) :]


class ChannelLogHandler(logging.Handler):
    """A provider's log records, bounded in number and length."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._left = _LOG_RECORDS

    def emit(self, record: logging.LogRecord) -> None:
        self._left -= 1
        if self._left >= 0:
            text = self.format(record)[:_LOG_CHARS]
            self._channel.send({"kind": "log", "level": record.levelno, "message": text})


class ChannelProgress:
    """Progress, at most ten times a second; the last word always goes through."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._sent_at = float("-inf")

    def __call__(self, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        if now - self._sent_at >= _PROGRESS_SECONDS or done >= total:
            self._sent_at = now
            self._channel.send({"kind": "progress", "done": float(done), "total": float(total), "note": str(note)})


def work(order_line: bytes, answers_fd: int, folder: Path) -> NoReturn:
    """Run the order and answer with one ``result`` or ``error`` line; never returns."""
    faulthandler.enable()
    channel = Channel(answers_fd)
    try:
        channel.send(_run(AttemptOrder.model_validate_json(order_line), channel, folder, {}))
    except BaseException as error:  # noqa: BLE001 - whatever a provider does, it is an answer
        channel.send(_error_message(error))
    _leave()


def serve(orders: socket.socket, code: LoadedCode) -> NoReturn:
    """Run one order after the other with the same instance, for a resident; never returns.

    To each call (with the caller's connection; the order is in the attempt's folder) the answer is ``changed``, or
    ``fit``; then, told to go, it works, and says so when it has answered. An error that is not about the request ends
    the process: what the instance is worth after it nobody knows.
    """
    faulthandler.enable()
    home = Path.cwd()
    kept: dict[str, AnyTask] = {}
    while True:
        data, fds, _, _ = socket.recv_fds(orders, _CALL_BYTES, 1)
        if not fds:
            os._exit(0)
        orders.send(b"changed" if code.has_changed() else b"fit")
        orders.recv(16)
        call = Call.model_validate_json(data)
        become_environment(call.environment)
        channel = Channel(fds[0])
        try:
            order = AttemptOrder.model_validate_json((call.folder / ORDER_NAME).read_bytes())
            channel.send(_run(order, channel, call.folder, kept))
        except (ProviderRejected, NotApplicable) as error:
            channel.send(_error_message(error))
        except BaseException as error:  # noqa: BLE001 - as above
            channel.send(_error_message(error))
            _leave()
        os.chdir(home)
        _flush()
        os.close(fds[0])
        code.note()
        orders.send(b"!")


def _error_message(error: BaseException) -> dict[str, Any]:
    return error_message(error, "".join(traceback.format_exception(error))[-_TRACE_CHARS:])


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _leave() -> NoReturn:
    """Not a normal exit: threads and clean-up of native libraries must not undo an answer that was given."""
    _flush()
    os._exit(0)


def _run(order: AttemptOrder, channel: Channel, folder: Path, kept: dict[str, AnyTask]) -> dict[str, Any]:
    """Args: kept: the provider by its target, if it was built before; it is put there."""
    provider_class: type[AnyTask] = load_class(order.provider.target)
    request = provider_class.request_type.parse(order.request)
    store = LocalArtifactStore(order.store_root, order.workspace)
    artifacts = RecordingArtifacts(store.scoped(find_refs(request), _fresh_folder(folder, "copies")))
    context = ProviderContext(
        logger=_logger(order.provider, channel),
        artifacts=artifacts,
        temp_dir=_fresh_folder(folder, "work"),
        progress=ChannelProgress(channel),
        models={name: ModelFile(model.path, model.sha256, model.licence) for name, model in order.models.items()},
    )
    os.chdir(context.temp_dir)
    if order.provider.target not in kept:
        kept[order.provider.target] = _built(order.provider, context)
    provider = kept[order.provider.target]
    provider.context = context
    answer: object = provider.run(request)
    inspect = _inspector(order.inspector, store, context, folder) if order.inspector else None
    result, found = judge(answer, provider_class.result_type, request, order.provider.name, artifacts, inspect)
    inspections = {digest: inspection.model_dump(mode="json") for digest, inspection in found.items()}
    document = result.model_dump(mode="json")
    return {"kind": "result", "result": document, "inspections": inspections, "gpu_memory_mb": _gpu_memory_mb()}


def _gpu_memory_mb() -> float | None:
    """MiB that torch held at its most in this process; None where it was not used on a GPU."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return round(torch.cuda.max_memory_allocated() / 2**20, 1)


def _inspector(spec: ProviderSpec, store: LocalArtifactStore, context: ProviderContext, folder: Path) -> Inspect:
    """The configured media provider, as a function of one file that the attempt made."""

    def inspect(ref: ArtifactRef) -> InspectionResult:
        own_folder = _fresh_folder(folder, f"inspect-{ref.digest}")
        made = RecordingArtifacts(store.scoped([ref], _fresh_folder(own_folder, "copies")))
        own = replace(context, artifacts=made, temp_dir=_fresh_folder(own_folder, "work"), progress=_no_progress)
        request = InspectionRequest(artifact=ref)
        answer: object = _built(spec, own).run(request)
        result, _ = judge(answer, InspectionResult, request, spec.name, made, None)
        return InspectionResult.parse(result.model_dump(mode="json"))

    return inspect


def _built(spec: ProviderSpec, context: ProviderContext) -> AnyTask:
    provider: type[AnyTask] = load_class(spec.target)
    return provider(provider.Options.model_validate(spec.options), context)


def _logger(spec: ProviderSpec, channel: Channel) -> logging.Logger:
    logger = logging.getLogger(f"sparkle.provider.{spec.capability}.{spec.name}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [ChannelLogHandler(channel)]
    return logger


def _no_progress(done: float, total: float, note: str = "") -> None:
    """An inspection's progress is not the provider's."""


def _fresh_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o700)
    return folder
