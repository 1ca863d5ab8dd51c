"""A capability as a Dagster resource: providers are selected from the tool registry, never named in code."""

import dagster as dg
from pydantic import Field

from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workspace import this_workspace


class ProviderResource(dg.ConfigurableResource[ProviderRegistry]):
    """Built from ``configs/tool_registry.yaml``; an asset asks it for its capability's providers."""

    capability: str = Field(description="What it does for a node: script, lipsync, video, qa, or one that you added.")

    @property
    def registry(self) -> ProviderRegistry:
        """The registry that selects, fails over and runs providers of ``capability``."""
        return this_workspace().registry
