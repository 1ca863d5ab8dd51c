"""The good request, run as a production would run it: by a registry, in a provider's process, judged and inspected."""

import json
from collections.abc import Mapping
from typing import Any

from sparkle_dagster.conformance.trial import Trial, expect
from sparkle_dagster.registry.discovery import registered_providers
from sparkle_dagster.registry.provider_registry import INSPECTION, ProviderRegistry

NAME = "on_trial"
_TIMEOUT_SECONDS = 600.0


def run_on_the_platform(trial: Trial) -> None:
    """Raises:
    SparkleError: as the production would end.
    CaseFailed: the platform's result is not the provider's.
    """
    request = trial.good_request
    project = trial.fresh_folder()
    (project / "configs").mkdir()
    (project / "limits.yaml").write_text("checks: {}\n")
    (project / "configs/tool_registry.yaml").write_text(json.dumps(_registry_file(trial), default=str))
    registry = ProviderRegistry.from_config(project / "configs/tool_registry.yaml", workspace=trial.store.workspace)
    outcome = registry.resolve(
        trial.provider.capability, provider=NAME, timeout_seconds=_TIMEOUT_SECONDS
    ).run_with_outcome(request)
    expect(outcome.result.provider == NAME, f"expected the result of {NAME}, got {outcome.result.provider}")


def _registry_file(trial: Trial) -> Mapping[str, Any]:
    """The smallest registry that runs this provider; every output is looked at by the installed inspector."""
    capability = trial.provider.capability
    target = f"{trial.provider.__module__}:{trial.provider.__qualname__}"
    inspectors = [name for found, name in registered_providers() if found == INSPECTION]
    return {
        "schema_version": 1,
        "settings": {
            "store": {"root": str(trial.store.root)},
            "uploads": {"inbox": "inbox"},
            "services": {"webserver": {"host": "", "port": 0}},
            "presenter": "none",
        },
        "profiles": {"trial": {"qa": "limits.yaml"}},
        "models": {
            name: {"path": str(model.path), "sha256": model.sha256, "licence": model.licence}
            for name, model in trial.models.items()
        },
        INSPECTION: {"providers": inspectors},
        capability: {"providers": [NAME]},
        "providers": {capability: {NAME: {**trial.given_options, "use": target}}},
    }
