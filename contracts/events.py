"""What is reported about a node's run, and a production's summary."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.base import Contract, Fidelity, Model


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


class Attempt(Model):
    """One start of one provider."""

    provider: str
    number: int = Field(ge=1, description="1 is the first attempt of this provider.")
    error: str = Field(default="", description="Class of the error; empty when it succeeded.")
    message: str = ""
    latency_ms: int = Field(ge=0)


class NodeEvent(Contract):
    """One structured event per change of a node's status."""

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
    error: str = ""
    message: str = ""


class NodeRecord(Contract):
    """How a stored result came to be; kept in its manifest, outside its content."""

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
    definition_digest: str = Field(default="", description="Digest of the workflow definition this was made under.")
    inputs: dict[str, str] = Field(default_factory=dict, description="node or upload -> digest of what was read of it.")
    previews: dict[str, Any] = Field(default_factory=dict, description="digest of an artifact -> its InspectionResult.")


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
    trace: tuple[Candidate, ...] = ()


class RunSummary(Contract):
    """A production as it stands: per-node metrics, artifact map, logs pointer."""

    production: str
    workspace: str
    title: str = ""
    verdict: str = ""
    fidelity: Fidelity | None = None
    nodes: tuple[NodeSummary, ...] = ()
    artifacts: dict[str, ArtifactRef] = Field(default_factory=dict, description="<asset>.<field> -> artifact.")
    run_ids: tuple[str, ...] = ()
    logs: str = Field(default="", description="Where the logs of the last run are.")
