"""What callers of the status service send and get, beside ``ProductionStatus`` and ``InstallationStatus``."""

from typing import Any, Literal

from pydantic import Field

from contracts.base import Model

SHA256_OR_EMPTY = r"^([0-9a-f]{64})?$"


class Switches(Model):
    """What one run changes over the configuration; the files stay as they are."""

    disable: tuple[str, ...] = Field(default=(), description="Nodes whose no-op runs instead.")
    provider: dict[str, str] = Field(default_factory=dict, description="node -> the one provider that may run.")


class StartRequest(Switches):
    """Start a production from files that were uploaded as one drop."""

    drop: str = Field(pattern=r"^[a-z0-9-]{8,64}$", description="Name of the drop, chosen by the caller.")
    title: str = Field(default="", max_length=200)
    language: str = ""
    profile: str = ""
    captions: str = ""
    tags: tuple[str, ...] = ()


class RerunRequest(Switches):
    """Make a part of a production again: ``only`` one node, or everything ``from`` one, ``until`` another."""

    only: str = ""
    from_: str = Field(default="", alias="from")
    until: str = ""
    force: bool = Field(default=False, description="Make it anew although the same result is stored.")


class PlanRequest(Switches):
    """What would the first run of these files do?"""

    audio: str = Field(default="", pattern=SHA256_OR_EMPTY, description="SHA-256 of the voice; empty: not known yet.")
    face: str = Field(default="", pattern=SHA256_OR_EMPTY, description="SHA-256 of the face; empty: the workspace's.")


class PlannedStep(Model):
    node_id: str
    planned: Literal["RUN", "PASS"]
    provider: str
    why: str


class StartPlan(Model):
    """Node by node, in order."""

    production: str = Field(default="", description="Where these files are a production already: nothing would start.")
    nodes: tuple[PlannedStep, ...]


class RulingRequest(Model):
    """A person's word on the newest video that a policy has decided on."""

    by: str = Field(min_length=1, max_length=100, description="Who says so; it stands in the report.")
    note: str = Field(default="", max_length=2000, description="Why.")


class StartedRun(Model):
    """A run that was started, or why none was needed."""

    production: str
    run_id: str = Field(default="", description="Empty where nothing had to be started.")
    started: bool = True


class ServiceError(Model):
    error: str
    kind: str = ""


class ProviderChoice(Model):
    name: str
    state: str = Field(description="selected, next, unavailable, disabled or not_listed.")
    reason: str = ""
    licence: str = ""


class NodeChoice(Model):
    """One node of the workflow, and who can do it here."""

    node_id: str
    capability: str
    enabled: bool
    selected: str | None
    providers: tuple[ProviderChoice, ...]


class Choices(Model):
    """What a form or a control panel offers."""

    workflow: str
    nodes: tuple[NodeChoice, ...]
    profiles: tuple[str, ...]
    captions: tuple[str, ...]
    language: str
    suffixes: dict[str, tuple[str, ...]] = Field(description="role of a file -> the name endings it may have.")
    max_bytes: int
    links: dict[str, Any] = Field(default_factory=dict, description="Where else to look: the Dagster UI.")
