"""The selectors: their defaults, where relative paths count from, and the file that lists them."""

from pathlib import Path

import pytest

from contracts.errors import ConfigError
from sparkle_dagster.settings import SELECTORS, find_project, load_settings, provider_environment
from tests.sparkle_dagster.registry.conftest import WriteProject


def test_defaults_count_from_the_project_wherever_one_stands_in_it(write_project: WriteProject) -> None:
    project = write_project().resolve()
    inner = project / "configs/qa"
    settings = load_settings(inner)
    assert settings.project == project
    assert (settings.workspace, settings.executor) == ("main", "auto")
    assert settings.home == project / ".sparkle"
    assert settings.dagster_home == project / ".sparkle/dagster"
    assert settings.models_dir == project / "models"
    assert settings.resolve("samples/face.png") == project / "samples/face.png"


def test_selectors_of_the_environment_are_taken(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPARKLE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SPARKLE_MODELS", "weights")
    monkeypatch.setenv("SPARKLE_EXECUTOR", "in_process")
    settings = load_settings(write_project())
    assert settings.home == (tmp_path / "state").resolve()
    assert settings.models_dir == settings.project / "weights"
    assert settings.executor == "in_process"


def test_empty_selector_means_its_default(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKLE_HOME", "")
    assert load_settings(write_project()).home.name == ".sparkle"


def test_workspace_that_is_no_file_name_is_refused(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKLE_WORKSPACE", "../main")
    with pytest.raises(ConfigError, match="SPARKLE_WORKSPACE: expected a name such as"):
        load_settings(write_project())


def test_folder_outside_any_project_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected configs/tool_registry.yaml in .* or a folder above it"):
        find_project(tmp_path)


def test_sample_file_and_selectors_are_the_same() -> None:
    sample = Path(__file__).parents[3] / ".env_sample"
    lines = [line for line in sample.read_text().splitlines() if line and not line.startswith("#")]
    assert dict(line.split("=", 1) for line in lines) == SELECTORS


def test_provider_environment_holds_no_selector_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKLE_HOME", "/somewhere")
    monkeypatch.setenv("CLOUD_KEY", "canary")
    environment = provider_environment()
    assert "canary" not in environment.values()
    assert not any(name.startswith("SPARKLE") for name in environment)
    assert environment["PATH"]
