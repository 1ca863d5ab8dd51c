"""Each capability is a resource of the code location; what runs behind it is the tool registry's choice."""

import dagster as dg
import pytest

from sparkle_dagster.definitions import build_definitions
from sparkle_dagster.defs.provider_resource import ProviderResource
from sparkle_dagster.workspace import load_workspace
from tests.project import SOURCE


@pytest.mark.requirement("U2")
def test_each_capability_of_the_workflow_is_a_resource_that_its_asset_requires() -> None:
    workspace = load_workspace(SOURCE)
    definitions = build_definitions(workspace)
    resources = definitions.resources or {}
    capabilities = {node.capability for node in workspace.workflow.nodes}
    assert {name for name, found in resources.items() if isinstance(found, ProviderResource)} == capabilities
    for node in workspace.workflow.nodes:
        asset = definitions.resolve_assets_def(dg.AssetKey(node.asset_key))
        assert node.capability in asset.required_resource_keys
