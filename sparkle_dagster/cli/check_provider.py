"""`sparkle providers --check`: the conformance kit for one provider, a stranger's or one of ours."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from rich.markup import escape

from contracts.errors import ConfigError
from sparkle_dagster.cli.output import console, fail, print_json
from sparkle_dagster.conformance.check import CaseOutcome, check_provider
from sparkle_dagster.registry.wire import ModelSpec

_COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def check(target: str, options: str, *, json_output: bool) -> None:
    """Try every case and say how each ended; exit code 1 when one failed."""
    sys.path.append(str(Path.cwd()))  # where a module that is not installed is looked for
    given = _options(options)
    models = _models()

    def show(outcome: CaseOutcome) -> None:
        if not json_output:
            console().print(_line(outcome))

    if not json_output:
        console().print(f"{escape(target)}\n")
    outcomes = check_provider(target, given, models, show)
    counts = {word: sum(outcome.outcome == word for outcome in outcomes) for word in _COLOURS}
    if json_output:
        print_json({"provider": target, **counts, "cases": [outcome.model_dump() for outcome in outcomes]})
        if counts["failed"]:
            raise SystemExit(1)
        return
    console().print("\n" + ", ".join(f"{count} {word}" for word, count in counts.items() if count))
    if counts["failed"]:
        fail(f"{target} breaks {counts['failed']} of {len(outcomes)} promises of a provider")


def _line(outcome: CaseOutcome) -> str:
    colour = _COLOURS[outcome.outcome]
    line = f"[{colour}]{outcome.outcome:8}[/]it {escape(outcome.says)}"
    return f"{line}\n        [{colour}]{escape(outcome.reason)}[/]" if outcome.reason else line


def _options(text: str) -> Mapping[str, Any]:
    try:
        found: object = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f'--options: expected JSON such as {{"lead_ms": 20}}, got {text!r}: {error}') from error
    if not isinstance(found, dict):
        raise ConfigError(f'--options: expected a JSON object such as {{"lead_ms": 20}}, got {text!r}')
    return cast(dict[str, Any], found)


def _models() -> Mapping[str, ModelSpec]:
    """The weights that the project's registry names; none outside of a project."""
    from sparkle_dagster.registry.provider_registry import ProviderRegistry
    from sparkle_dagster.settings import REGISTRY_FILE, find_project

    try:
        project = find_project(Path.cwd())
    except ConfigError:
        return {}
    sys.path.append(str(project))
    return ProviderRegistry.from_config(project / REGISTRY_FILE).models
