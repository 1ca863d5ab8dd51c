"""What is going on: productions under way node by node, and the installation that makes them."""

from typing import Any

from pydantic import Field

from contracts.base import Contract, Fidelity, Model
from contracts.events import NodeStatus


class Eta(Model):
    """What is left, from this installation's history; ``low`` and ``high`` are its 10th and 90th percentile."""

    seconds: float = Field(ge=0)
    low_seconds: float = Field(ge=0)
    high_seconds: float = Field(ge=0)
    samples: int = Field(ge=1, description="Earlier runs of the rarest node that it rests on.")


class NodeState(Model):
    """One node of a production as it is now."""

    node_id: str
    status: NodeStatus | None = Field(default=None, description="None: never run.")
    provider: str = ""
    attempt: int = Field(default=1, ge=1)
    percent: float | None = Field(default=None, ge=0, le=100, description="As the provider tells; None: it does not.")
    note: str = ""
    eta: Eta | None = None
    run_id: str = ""
    queued_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    latency_ms: int = Field(default=0, ge=0)
    queue_ms: int | None = Field(default=None, ge=0)
    fidelity: Fidelity | None = None
    error: str = ""
    message: str = ""


class ProductionStatus(Contract):
    """A production as it is now. ``state``: queued, running, succeeded, failed or cancelled."""

    production: str
    workspace: str = "main"
    title: str = ""
    state: str
    run_id: str = Field(default="", description="Of the newest run.")
    updated_at: str = ""
    duration_seconds: float = Field(default=0, ge=0, description="Of the voice.")
    verdict: str = ""
    fidelity: Fidelity | None = None
    percent: float | None = Field(default=None, ge=0, le=100)
    eta: Eta | None = None
    nodes: tuple[NodeState, ...] = ()
    event: int = Field(default=0, ge=0, description="Number of the newest event that is in here.")


class LaneState(Model):
    slots: int
    busy: int


class ServiceHealth(Model):
    """One part of the installation that must be alive."""

    name: str
    healthy: bool
    message: str = ""
    seen_at: str = ""


class InstallationStatus(Contract):
    """Everything under way, and whether what should be alive is."""

    workspace: str
    at: str
    event: int = Field(default=0, ge=0, description="Number of the newest event that is in here.")
    in_flight: tuple[ProductionStatus, ...] = ()
    queued_runs: int = 0
    counts: dict[str, int] = Field(default_factory=dict, description="state -> productions.")
    lanes: dict[str, LaneState] = Field(default_factory=dict)
    health: tuple[ServiceHealth, ...] = Field(default=(), description="Daemon, sensors, Dagster's own database.")
    lost_runs: tuple[str, ...] = Field(default=(), description="The newest runs whose process was found dead.")
    sinks: dict[str, dict[str, Any]] = Field(default_factory=dict, description="name -> backlog, counts and trouble.")
