"""What callers of the status service send and get, beside ``ProductionStatus`` and ``InstallationStatus``."""

from typing import Any

from pydantic import Field

from contracts.base import Model


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
    """Make a part of a production again: ``only`` one node, or everything ``from`` one."""

    only: str = ""
    from_: str = Field(default="", alias="from")


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
