"""`sparkle providers`, `validate`, `doctor`: the installation itself."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ConfigError, SparkleError
from sparkle_dagster.cli.output import JsonOption, console, fail, print_json
from sparkle_dagster.registry.report import CapabilityReport
from sparkle_dagster.registry.residents import ResidentState

ENDING_SECONDS = 60.0
"""In which an idle resident process ends."""


def providers(
    check: str = typer.Option("", "--check", metavar="module:Class", help="Prove a provider: try what all must do."),
    options: str = typer.Option("", "--options", metavar="<json>", help='With --check: such as {"lead_ms": 20}.'),
    json_output: bool = JsonOption,
    end_residents: bool = typer.Option(False, help="End the resident processes of warm providers that are not busy."),
) -> None:
    """Every capability: enabled or not, which provider is selected, why not the others, what mends it.

    Then the resident processes that keep providers loaded between runs.

    With --check the conformance kit tries one class, installed or in this folder, and ends with exit code 1 when it
    breaks a promise.

    Examples:  sparkle providers      sparkle providers --check my_package.lipsync:MyProvider
    """
    if check:
        from sparkle_dagster.cli.check_provider import check as check_provider

        check_provider(check, options, json_output=json_output)
        return
    if options:
        raise ConfigError("--options belongs to --check module:Class")
    from sparkle_dagster.workspace import this_workspace

    registry = this_workspace().registry
    if end_residents:
        registry.residents.end(ENDING_SECONDS)
    described, residents = registry.describe(), registry.residents.states()
    if json_output:
        by_capability: dict[str, list[dict[str, Any]]] = {item.capability: [] for item in described}
        for resident in residents:
            by_capability.setdefault(resident.provider.partition("/")[0], []).append(asdict(resident))
        print_json([asdict(item) | {"residents": by_capability[item.capability]} for item in described])
        return
    for capability in described:
        state = "enabled" if capability.enabled else "[yellow]turned off: the no-op runs[/]"
        table = Table("provider", "state", "licence", "why not, and what mends it", title_justify="left")
        table.title = f"{capability.capability}   {state}   selected: {capability.selected or '[red]none can run[/]'}"
        for provider in capability.providers:
            table.add_row(provider.name, provider.state, provider.licence, escape(provider.reason))
        console().print(table)
    for resident in residents:
        console().print(f"resident {resident.provider}   {_described(resident)}")


def validate(json_output: bool = JsonOption) -> None:
    """Check the three configuration files and every definition made from them; opens no media, starts nothing."""
    import dagster as dg

    from sparkle_dagster.definitions import build_definitions
    from sparkle_dagster.workspace import load_workspace

    workspace = load_workspace()
    dg.Definitions.validate_loadable(build_definitions(workspace))
    nodes = [node.id for node in workspace.workflow.nodes]
    if json_output:
        print_json({"workflow": workspace.workflow.name, "nodes": nodes, "digest": workspace.definition.digest})
    else:
        console().print(f"[green]valid[/]  {workspace.workflow.name}: {' -> '.join(nodes)}")
        console().print(f"       definition {workspace.definition.digest[:16]}")


def doctor(json_output: bool = JsonOption) -> None:
    """Look over the installation before anything is spent: passed, degraded or blocked, with reasons.

    Ends with exit code 1 when something is blocked.
    """
    findings = examine()
    if json_output:
        print_json(findings)
    else:
        table = Table("state", "what", "why, and what mends it")
        colours = {"passed": "green", "degraded": "yellow", "blocked": "red"}
        for finding in findings:
            state = finding["state"]
            table.add_row(f"[{colours[state]}]{state}[/]", finding["what"], escape(finding["why"]))
        console().print(table)
    blocked = [finding for finding in findings if finding["state"] == "blocked"]
    if blocked and json_output:
        raise SystemExit(1)
    if blocked:
        fail(f"{len(blocked)} of {len(findings)} checks are blocked: {', '.join(item['what'] for item in blocked)}")


def examine() -> list[dict[str, str]]:
    """Findings in the order in which a production would meet them."""
    from sparkle_dagster.workspace import load_workspace

    try:
        workspace = load_workspace()
    except SparkleError as error:
        return [_finding("blocked", "configuration", str(error))]
    findings = [_finding("passed", "configuration", f"{len(workspace.workflow.nodes)} nodes")]
    checks: list[tuple[str, Callable[[Any], dict[str, str]]]] = [
        ("presenter", _presenter),
        ("store", _store),
        ("disk space", _space),
        ("dagster home", _home),
        ("inbox", _inbox),
    ]
    for what, check in checks:
        try:
            findings.append(check(workspace))
        except (SparkleError, OSError) as error:
            findings.append(_finding("blocked", what, str(error)))
    findings += [_capability(item) for item in workspace.registry.describe()]
    residents = workspace.registry.residents.states()
    return findings + [_finding("passed", f"resident {item.provider}", _described(item)) for item in residents]


def _presenter(workspace: Any) -> dict[str, str]:
    if workspace.presenter.is_file():
        return _finding("passed", "presenter", workspace.presenter.name)
    return _finding(
        "degraded",
        "presenter",
        f"{workspace.presenter} is missing: uploads without a face fail; mend settings.presenter",
    )


def _store(workspace: Any) -> dict[str, str]:
    import io

    ref = workspace.store.put(io.BytesIO(b"sparkle doctor\n"), "text/plain")
    workspace.store.verify(ref)
    return _finding("passed", "store", "wrote, synced and read back a file")


def _space(workspace: Any) -> dict[str, str]:
    free = shutil.disk_usage(workspace.settings.project).free
    if free < 2**30:
        return _finding("degraded", "disk space", f"{free / 2**20:.0f} MiB free, expected at least 1024")
    return _finding("passed", "disk space", f"{free / 2**30:.0f} GiB free")


def _home(workspace: Any) -> dict[str, str]:
    from sparkle_dagster.defs.home import prepare_home

    prepare_home(workspace)
    return _finding("passed", "dagster home", "opened and migrated")


def _inbox(workspace: Any) -> dict[str, str]:
    from sparkle_dagster.execution.inbox import left_alone

    left = left_alone(workspace.inbox)
    if not left:
        return _finding("passed", "inbox", str(workspace.inbox))
    reasons = "; ".join(f"{name}: {why}" for name, why in left.items())
    return _finding("degraded", "inbox", f"nothing becomes of these files: {reasons}")


def _capability(described: CapabilityReport) -> dict[str, str]:
    name = described.capability
    if not described.enabled:
        return _finding("degraded", name, "turned off in the tool registry: the no-op runs, nothing is approved")
    unable = [item for item in described.providers if item.state == "unavailable"]
    reasons = "; ".join(f"{item.name}: {item.reason}" for item in unable)
    if not described.selected:
        return _finding("blocked", name, reasons)
    return _finding("passed", name, described.selected + (f" ({reasons})" if reasons else ""))


def _described(resident: ResidentState) -> str:
    """What a resident process does, and what it costs."""
    state = "busy" if resident.is_busy else "idle"
    seconds = max(time.time() - resident.since, 0)
    runs = f"{resident.runs} run{'' if resident.runs == 1 else 's'}"
    return (
        f"{state} for {seconds:.0f} s, {runs}, {resident.memory_bytes / 2**20:.0f} MiB, process {resident.process_id}"
    )


def _finding(state: str, what: str, why: str) -> dict[str, str]:
    return {"state": state, "what": what, "why": why}
