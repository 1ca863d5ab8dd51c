"""What passes between the platform and a provider's process: a call and an order in, JSON lines out.

The connection is a stream socket. The platform writes ``Call`` and ``AttemptOrder``, a line each, and then only keeps
it open: its end means that the platform is gone or wants to stop. Whoever supervises the provider answers with
``{"kind": "started", "marker": ...}`` and a descriptor of its process; then come the provider's ``progress``, ``log``
and ``result`` or ``error``; the last line is the supervisor's ``{"kind": "end", "reason": "ended|timeout|stopped",
"exit_code": 0, "signal": 0, "left": 0, "cpu_s": 1.5, "peak_memory_mb": 210.0}``: nothing of the attempt runs any more,
or ``left`` that cannot be killed.
"""

import inspect
from pathlib import Path
from typing import Any

from pydantic import Field

from contracts import errors
from contracts.base import Model
from contracts.errors import ProviderFailed, SparkleError

ATTEMPT_VARIABLE = "SPARKLE_ATTEMPT"
"""Marks every process of an attempt that was not merely forked, so that it is found when its supervisor was lost."""

MAX_ANSWER_BYTES = 32 * 2**20
"""Of one line; a result is small JSON, media travels as artifacts."""

ERROR_CLASSES = {
    name: found for name, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, SparkleError)
}


class ProviderSpec(Model):
    """A provider's class and its options, checked before."""

    capability: str
    name: str
    target: str = Field(description="module:Class")
    options: dict[str, Any]
    warm: bool = Field(default=False, description="Served by a resident process that keeps the instance.")
    preload: tuple[str, ...] = Field(default=(), description="Modules to load before its attempts are forked.")


class ModelSpec(Model):
    path: Path
    sha256: str | None
    licence: str


class Call(Model):
    """The circumstances of one attempt, for its supervisor."""

    folder: Path = Field(description="The attempt's own; the platform removes it, or the supervisor when that is gone.")
    timeout_seconds: float = Field(description="Counts from when the work starts.")
    environment: dict[str, str]


class AttemptOrder(Model):
    """All that one attempt needs. ``inspector`` looks at what the provider wrote."""

    provider: ProviderSpec
    inspector: ProviderSpec | None
    request: dict[str, Any]
    store_root: Path
    workspace: str
    models: dict[str, ModelSpec] = Field(default_factory=dict)


def error_message(error: BaseException, trace: str) -> dict[str, Any]:
    """An error as a line: typed errors keep their class, everything else is a failure of the provider."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a provider's error may be broken too
        text = "(its message cannot be shown)"
    name = type(error).__name__
    if isinstance(error, MemoryError):
        return {"kind": "error", "error": "ProviderCrashed", "message": "ran out of memory", "trace": trace}
    if isinstance(error, SystemExit):
        return {"kind": "error", "error": "ProviderFailed", "message": f"called sys.exit({text})", "trace": trace}
    if isinstance(error, SparkleError) and name in ERROR_CLASSES:
        return {"kind": "error", "error": name, "message": text, "trace": trace}
    return {"kind": "error", "error": "ProviderFailed", "message": f"{name}: {text}" if text else name, "trace": trace}


def error_from(line: dict[str, Any], provider: str) -> SparkleError:
    """The error that ``error_message`` described; the provider's own faults name it."""
    found = ERROR_CLASSES.get(str(line["error"]), ProviderFailed)
    its_own_fault = issubclass(found, ProviderFailed | errors.ProviderCrashed | errors.ContractViolation)
    error = found(f"{provider}: {line['message']}" if its_own_fault else str(line["message"]))
    if line.get("trace"):
        error.add_note(f"in the process of {provider}:\n{line['trace']}")
    return error
