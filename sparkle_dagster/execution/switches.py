"""What one run changes for one node; everything else is configuration."""

from dataclasses import dataclass
from typing import Any

from contracts.errors import ConfigError
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workflow.expressions import Decision
from sparkle_dagster.workflow.graph import Node


@dataclass(frozen=True)
class NodeSwitches:
    """The same in a command, in the run config of the launchpad, and in a plan."""

    enabled: bool | None = None
    provider: str | None = None
    force: bool = False
    """Make the result anew although it is stored."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that change how it is made."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "force"}


def refuse_conflict(node: Node, switches: NodeSwitches, decision: Decision, registry: ProviderRegistry) -> None:
    """Whether the provider that was asked for is the one that runs.

    Raises:
        ConfigError: it is not, and why.
    """
    if switches.provider is None:
        return
    (asked,) = registry.candidates(node.capability, enabled=True, provider=switches.provider)
    why = asked.unavailable
    if switches.enabled is False:
        why = "the same run turns the node off"
    elif not decision.runs:
        why = decision.reason
    elif not (switches.enabled or registry.is_enabled(node.capability)):
        why = f"{node.capability} is turned off in the tool registry"
    if why is not None:
        raise ConfigError(f"{node.id}: expected to use {switches.provider!r}, which would not run: {why}")
