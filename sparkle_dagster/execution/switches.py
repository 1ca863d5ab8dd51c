"""What one run changes for one node; everything else is configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.errors import ConfigError
from contracts.production import ProductionSpec
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workflow.expressions import Decision
from sparkle_dagster.workflow.graph import Node


@dataclass(frozen=True)
class NodeSwitches:
    """The same in a command, in the run config of the launchpad, and in a plan."""

    enabled: bool | None = None
    provider: str | None = None
    options: Mapping[str, Any] | None = None
    """Changed over the tool registry's, of the provider that is named."""
    force: bool = False
    """Make the result anew although it is stored."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that change how it is made."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "force"}


def as_decided(spec: ProductionSpec, node_id: str, given: NodeSwitches) -> NodeSwitches:
    """With the provider and options that a policy chose for the node, unless the run names others."""
    chosen = next((item for item in reversed(spec.decisions.regenerations) if item.node == node_id), None)
    if chosen is None or given.provider is not None or given.enabled is not None:
        return given
    return replace(given, provider=chosen.provider, options=chosen.options or None)


def refuse_conflict(node: Node, switches: NodeSwitches, decision: Decision, registry: ProviderRegistry) -> None:
    """Whether the provider that was asked for is the one that runs.

    Raises:
        ConfigError: it is not, and why.
    """
    if switches.provider is None:
        return
    (asked,) = registry.candidates(node.capability, enabled=True, provider=switches.provider)
    why = registry.unavailable(asked, node.spec.lane)
    if switches.enabled is False:
        why = "the same run turns the node off"
    elif not decision.runs:
        why = decision.reason
    elif not (switches.enabled or registry.is_enabled(node.capability)):
        why = f"{node.capability} is turned off in the tool registry"
    if why is not None:
        raise ConfigError(f"{node.id}: expected to use {switches.provider!r}, which would not run: {why}")
