"""The shape of ``configs/pipeline/workflow.yaml``: which nodes, and what flows between them.

Shape only: whether names exist, types fit and the graph has no cycle is checked by ``sparkle_dagster.workflow``.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from contracts.base import Contract, Model

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a duration such as 500ms, 90s, 10m, 1h or 30d, got {value!r}")
        return float(match[1]) * _UNIT_SECONDS[match[2]]
    return value


Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=float | str)]
"""Seconds; in YAML a number or a duration such as ``10m``."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class RetrySpec(Model):
    """Attempts of one provider after its first, when it failed, crashed or timed out."""

    max: int = Field(default=0, ge=0, le=10)
    delay_s: float = Field(default=0, ge=0, le=3600, description="Before the first retry.")
    backoff: Literal["constant", "linear", "exponential"] = "constant"
    jitter: bool = Field(default=False, description="Draw each delay between half and the whole of it.")


class NodeSpec(Model):
    """One stage. ``inputs`` bind request fields to results, ``params`` give them literals, ``deps`` only order."""

    id: Name
    task: str = Field(description="Class name of a registered task, such as LipSyncTask.")
    inputs: dict[str, str] = Field(default_factory=dict, description="request field -> <node or upload>.<field>")
    params: dict[str, Any] = Field(default_factory=dict, description="request field -> literal")
    outputs: tuple[Name, ...] = Field(min_length=1, max_length=1, description="Asset key of the node's result.")
    provider: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$",
        description="<capability>/<name>: pins one provider.",
    )
    retries: RetrySpec = RetrySpec()
    timeout: Seconds = Field(default=1800.0, gt=0, le=7 * 86400, description="Hard limit of one attempt.")
    deps: tuple[Name, ...] = ()
    lane: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="auto: what the selected provider asks for."
    )
    cache: bool = Field(default=True, description="false: never use a stored result for this node, nor keep one.")
    when: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Run only if it is true: upload.language == 'en'.",
    )
    skip_if: str | None = Field(default=None, max_length=500, description="Run the no-op instead if it is true.")
    description: str = ""
    owners: tuple[str, ...] = ()

    @field_validator("inputs")
    @classmethod
    def _name_a_field(cls, inputs: dict[str, str]) -> dict[str, str]:
        for name, source in inputs.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", source):
                raise ValueError(f"{name}: expected <node>.<field>, such as upload.audio_track, got {source!r}")
        return inputs


class WorkflowSpec(Contract):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    nodes: tuple[NodeSpec, ...] = Field(min_length=1)
