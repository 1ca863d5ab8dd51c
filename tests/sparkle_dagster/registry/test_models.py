"""Weights that a provider names: without them it is passed over, by name, path and remedy; their licence is shown."""

import pytest

from contracts.errors import ConfigError
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.report import ProviderReport
from sparkle_dagster.settings import load_settings
from tests.sparkle_dagster.registry.conftest import MakeRegistry, WriteProject

LISTED = "{providers: [needs, hands_on]}"
BOTH = "needs: {use: NeedsWeights}\nhands_on: {use: HandsOn}"
MODELS = 'models: {net: {path: "${SPARKLE_MODELS}/net.pth", licence: research-only}}\n'


def reported(registry: ProviderRegistry) -> dict[str, ProviderReport]:
    return {
        one.name: one for report in registry.describe() for one in report.providers if report.capability == "lipsync"
    }


@pytest.mark.requirement("S26")
def test_missing_weights_pass_the_turn_on_and_say_where_they_belong(make_registry: MakeRegistry) -> None:
    registry = make_registry(BOTH, lipsync=LISTED, more=MODELS)
    found = reported(registry)
    assert found["needs"].state == "unavailable"
    assert f"{registry.project_settings.models_dir}/net.pth, found no file; put it there" in found["needs"].reason
    assert found["hands_on"].state == "selected"
    assert found["needs"].licence == "research-only"


def test_weights_that_are_there_select_the_provider(make_registry: MakeRegistry) -> None:
    registry = make_registry(BOTH, lipsync=LISTED, more=MODELS)
    registry.project_settings.models_dir.mkdir()
    (registry.project_settings.models_dir / "net.pth").write_bytes(b"weights")
    assert reported(registry)["needs"].state == "selected"


def test_weights_that_the_registry_does_not_name_are_asked_for(make_registry: MakeRegistry) -> None:
    found = reported(make_registry(BOTH, lipsync=LISTED))
    assert found["needs"].state == "unavailable"
    assert "'net' under models:" in found["needs"].reason


def overlaid(registry: ProviderRegistry, settings: str) -> ProviderRegistry:
    """The same project as the workspace ``studio`` sees it, with the weights in place."""
    project = registry.project_settings.project
    registry.project_settings.models_dir.mkdir(exist_ok=True)
    (registry.project_settings.models_dir / "net.pth").write_bytes(b"weights")
    (project / "configs/workspaces").mkdir(exist_ok=True)
    (project / "configs/workspaces/studio.yaml").write_text(f"settings:\n  {settings}\n")
    return ProviderRegistry.from_config(project / "configs/tool_registry.yaml", workspace="studio")


@pytest.mark.requirement("S26")
def test_a_workspace_that_allows_commercial_licences_refuses_weights_for_research(make_registry: MakeRegistry) -> None:
    main = make_registry(BOTH, lipsync=LISTED, more=MODELS)
    strict = overlaid(main, "allowed_licences: [commercial]")
    refused = reported(strict)["needs"]
    assert refused.state == "unavailable"
    assert "'net' are 'research-only', and this workspace allows commercial only" in refused.reason
    assert "studio.yaml:2" in refused.reason
    assert reported(strict)["hands_on"].state == "selected"
    assert reported(main)["needs"].state == "selected", "another workspace may"
    assert reported(overlaid(main, "allowed_licences: [commercial, research-only]"))["needs"].state == "selected"


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_an_environment_that_lets_weights_run_code_is_refused(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    project = write_project()
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", value)
    with pytest.raises(ConfigError, match="unset it"):
        load_settings(project)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0")
    assert load_settings(project).project == project
