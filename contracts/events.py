"""What is reported about a node's run, and a production's summary."""

import uuid
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.base import Contract, Document, Fidelity, Model, digest_of, upgrades


class NodeStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    PASSED_THROUGH = "passed_through"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in {NodeStatus.QUEUED, NodeStatus.RUNNING, NodeStatus.RETRYING}


class Candidate(Model):
    """One provider that could have been chosen, and what became of it: the resolution trace."""

    provider: str
    outcome: str = Field(description="selected, unavailable, not_applicable, failed, not_reached, disabled.")
    reason: str = ""


class Usage(Model):
    """What one attempt's processes took, all of them together; None where nobody measured, never 0."""

    cpu_s: float | None = Field(default=None, gt=0, description="Seconds of CPU, user and system.")
    peak_memory_mb: float | None = Field(default=None, gt=0, description="MiB of the largest process at its largest.")
    gpu_memory_mb: float | None = Field(default=None, gt=0, description="MiB that torch held on the GPU at its most.")


class Placement(Model):
    """Where an attempt ran."""

    lane: str = Field(description="cpu or gpu.")
    kind: str = Field(description="How the lane is bound: local or ray.")
    host: str
    slot: str = Field(default="", description="Of a lane whose slots are places; empty where they are only counted.")
    device: str = Field(default="", description="CUDA's numbers of the GPUs that it was given; empty: not chosen.")

    def __str__(self) -> str:
        slot = f", slot {self.slot}" if self.slot else ""
        device = f", GPU {self.device}" if self.device else ""
        return f"lane {self.lane} ({self.kind}) on {self.host}{slot}{device}"


class Attempt(Model):
    """One start of one provider."""

    provider: str
    number: int = Field(ge=1, description="1 is the first attempt of this provider.")
    error: str = Field(default="", description="Class of the error; empty when it succeeded.")
    message: str = ""
    latency_ms: int = Field(ge=0)
    usage: Usage = Usage()
    placement: Placement | None = Field(default=None, description="None: it never reached a lane.")


class NodeEvent(Contract):
    """One structured event per change of a node's status; the last one of a node's run is terminal."""

    VERSION: ClassVar[int] = 4

    event_id: str = Field(
        default_factory=lambda: uuid.uuid4().hex, description="The same wherever this event is delivered."
    )
    node_id: str
    provider: str = ""
    status: NodeStatus
    latency_ms: int = Field(default=0, ge=0)
    retries: int = Field(default=0, ge=0, description="Attempts beyond the first, over all providers.")
    artifacts: tuple[ArtifactRef, ...] = ()
    workspace: str = "main"
    production: str = ""
    run_id: str = ""
    at: str = Field(default="", description="RFC 3339 time, UTC.")
    error: str = Field(default="", description="Class of the error.")
    message: str = ""
    fidelity: Fidelity | None = None
    cache: Literal["hit", "miss"] | None = Field(default=None, description="Of a node that ended well.")
    failed_over: tuple[str, ...] = Field(default=(), description="Providers that failed before this one was tried.")
    queue_ms: int | None = Field(default=None, ge=0, description="From when it could have started until it did.")
    cpu_s: float | None = Field(default=None, gt=0)
    peak_memory_mb: float | None = Field(default=None, gt=0)
    gpu_memory_mb: float | None = Field(default=None, gt=0)
    definition_digest: str = Field(default="", description="Digest of the definition it ran under.")
    reason: str = Field(default="", description="Why it ran, was turned off or was found stored.")
    attempts: tuple[Attempt, ...] = Field(default=(), description="Every start of a provider so far, in order.")

    def as_json(self) -> str:
        """One line; what is not known is left out."""
        return self.model_dump_json(exclude_none=True)


@upgrades(NodeEvent, 1)
def _event_has_an_id(document: Document) -> Document:
    return {**document, "event_id": digest_of(document)[:32]}


class NodeRecord(Contract):
    """How a stored result came to be; kept in its manifest, outside its content."""

    VERSION: ClassVar[int] = 4

    node_id: str
    provider: str
    provider_version: str = ""
    fidelity: Fidelity = Fidelity.REAL
    status: NodeStatus
    trace: tuple[Candidate, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    latency_ms: int = Field(default=0, ge=0)
    run_id: str = ""
    started_at: str = ""
    code_version: str = ""
    definition_digest: str = Field(default="", description="Digest of the definition this was made under.")
    definition: ArtifactRef | None = Field(default=None, description="The definition itself, kept with what it made.")
    inputs: dict[str, str] = Field(
        default_factory=dict, description="Request field -> digest of what the provider was given for it."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="The provider's options, defaults included.")
    weights: dict[str, str] = Field(default_factory=dict, description="Model name -> SHA-256 of its file.")
    code: str = Field(
        default="", description="The provider's class; with the digest of its file where no package versions it."
    )
    memo_key: str = Field(default="", description="Digest of all that decides the result; equal keys, equal results.")
    cached_from: str = Field(default="", description="<asset>/<production>@<generation> whose result was used again.")
    reason: str = Field(default="", description="Why it ran, was turned off or was found stored.")
    conditions_met: bool = Field(default=True, description="False: `when` or `skip_if` turned the node off.")
    previews: dict[str, Any] = Field(default_factory=dict, description="digest of an artifact -> its InspectionResult.")
    switches: dict[str, Any] = Field(
        default_factory=dict, description="What this run changed over the configuration: enabled, provider."
    )
    queue_ms: int | None = Field(default=None, ge=0, description="From when it could have started until it did.")


@upgrades(NodeRecord, 1)
def _record_ran_as_configured(document: Document) -> Document:
    return document


@upgrades(NodeEvent, 2)
def _event_without_attempts(document: Document) -> Document:
    return document


@upgrades(NodeRecord, 2)
def _record_without_keys(document: Document) -> Document:
    """Version 2 kept digests by source, of another shape: they compare with nothing."""
    return {**document, "inputs": {}}


class NodeSummary(Model):
    node_id: str
    asset: str
    status: NodeStatus | None = Field(default=None, description="None: never made.")
    generation: int = 0
    out_of_date: bool = Field(default=False, description="What it was made from has been made again since.")
    provider: str = ""
    fidelity: Fidelity | None = None
    latency_ms: int = 0
    retries: int = 0
    run_id: str = ""
    metrics: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    data_version: str = ""
    error: str = ""
    reason: str = ""
    cached_from: str = ""
    trace: tuple[Candidate, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class RunSummary(Contract):
    """A production as it stands: per-node metrics, artifact map, logs pointer."""

    VERSION: ClassVar[int] = 3

    production: str
    workspace: str
    title: str = ""
    verdict: str = ""
    fidelity: Fidelity | None = None
    nodes: tuple[NodeSummary, ...] = ()
    artifacts: dict[str, ArtifactRef] = Field(default_factory=dict, description="<asset>.<field> -> artifact.")
    run_ids: tuple[str, ...] = ()
    logs: str = Field(default="", description="Where the logs of the last run are.")


@upgrades(RunSummary, 1)
def _summary_without_attempts(document: Document) -> Document:
    return document


@upgrades(NodeEvent, 3)
@upgrades(NodeRecord, 3)
@upgrades(RunSummary, 2)
def _attempts_without_a_place(document: Document) -> Document:
    return document
