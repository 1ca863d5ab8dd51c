"""All cases for one provider, in a process of their own that may die or hang: ``sparkle providers --check``."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from contracts.base import Model
from sparkle_dagster.conformance.cases import CASES, Case
from sparkle_dagster.registry.wire import ModelSpec, error_from
from sparkle_dagster.settings import provider_environment

CASE_SECONDS = 300.0
"""One case may take this long; then its processes are killed."""
_LAST_WORDS_CHARS = 300


class CheckOrder(Model):
    """What the process is told."""

    target: str = Field(description="module:Class")
    options: dict[str, Any]
    models: dict[str, ModelSpec]
    first_case: int
    folder: Path


class CaseOutcome(Model):
    """What became of one case."""

    case: str
    says: str = Field(description="What a provider must do, as the end of the sentence 'it ...'.")
    outcome: Literal["passed", "failed", "skipped"]
    reason: str = ""


def described(case: Case, outcome: Literal["passed", "failed", "skipped"], reason: str = "") -> CaseOutcome:
    return CaseOutcome(case=case.__name__, says=case.__doc__ or "", outcome=outcome, reason=reason)


def check_provider(
    target: str,
    options: Mapping[str, Any],
    models: Mapping[str, ModelSpec],
    on_outcome: Callable[[CaseOutcome], None],
    case_seconds: float = CASE_SECONDS,
) -> list[CaseOutcome]:
    """Try every case on the class at ``module:Class``; ``on_outcome`` hears of each at once.

    A case in which the process dies or hangs has failed; the next one begins in a new process.

    Raises:
        ConfigError: there is no such class, it is no provider, or there is no standard request for it.
        ProviderUnavailable: its module cannot be imported here.
    """
    outcomes: list[CaseOutcome] = []

    def add(outcome: CaseOutcome) -> None:
        outcomes.append(outcome)
        on_outcome(outcome)

    with tempfile.TemporaryDirectory(prefix="sparkle-check-") as parent:
        while len(outcomes) < len(CASES):
            folder = Path(tempfile.mkdtemp(dir=parent))
            order = CheckOrder(
                target=target,
                options=dict(options),
                models=dict(models),
                first_case=len(outcomes),
                folder=folder,
            )
            with _started(order) as (process, answers):
                for message in _messages(answers, case_seconds):
                    if "error" in message:
                        raise error_from(message, target)
                    add(CaseOutcome.model_validate(message))
                if len(outcomes) < len(CASES):
                    add(described(CASES[len(outcomes)], "failed", _end_of(process, folder, case_seconds)))
    return outcomes


@contextmanager
def _started(order: CheckOrder) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """The process, and where its JSON lines come from; all of its group is killed in the end."""
    answers, theirs = os.pipe()
    try:
        with _log_of(order.folder).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - this project's own module
                [sys.executable, "-m", "sparkle_dagster.conformance", str(theirs)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=order.folder,
                env=provider_environment(),
                pass_fds=(theirs,),
                start_new_session=True,
            )
        os.close(theirs)
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(order.model_dump_json().encode() + b"\n")
            yield process, answers
        finally:
            _kill(process)
    finally:
        os.close(answers)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _messages(answers: int, patience_seconds: float) -> Iterator[dict[str, Any]]:
    """Messages until the process ends, or says nothing for ``patience_seconds``."""
    rest = b""
    deadline = time.monotonic() + patience_seconds
    while select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(answers, 65536)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)
            deadline = time.monotonic() + patience_seconds


def _end_of(process: subprocess.Popen[bytes], folder: Path, patience_seconds: float) -> str:
    """Why there was no answer."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return f"it did not end within {patience_seconds:g} s and was killed"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    words = " ".join(_log_of(folder).read_text(errors="replace").split())[-_LAST_WORDS_CHARS:]
    return f"its process ended by {how}" + (f"; it said: {words}" if words else "")


def _log_of(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.log"
