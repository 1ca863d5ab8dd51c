"""`sparkle shadow`: candidates and second workflows beside what delivers, and what comparing them says."""

import os
import socket
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ConfigError
from sparkle_dagster.cli.output import JsonOption, console, print_json, quiet

if TYPE_CHECKING:
    from contracts.artifacts import ArtifactRef
    from sparkle_dagster.execution.shadow_report import PairedCheck, ShadowReport
    from sparkle_dagster.workspace import Workspace

app = typer.Typer(no_args_is_help=True, help="What runs beside, delivers nothing, and is compared.")


@app.command("run")
def run(
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many; default: all that is owed.")] = None,
    json_output: bool = JsonOption,
) -> None:
    """Run candidates of the registry's `shadow` lists on finished productions that they were not compared on.

    The daemon does the same while nothing else runs. Stops as soon as a production is under way.
    """
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.defs.shadow import is_busy
    from sparkle_dagster.execution.shadow import candidate_shadows, owed
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    instance = prepare_home(workspace)
    due = [
        (shadow.name, production) for shadow in candidate_shadows(workspace) for production in owed(workspace, shadow)
    ]
    say = quiet if json_output else console().print
    answers: list[dict[str, Any]] = []
    for name, production in due[:limit]:
        if is_busy(instance):
            say("[yellow]a production is under way[/]; the rest is done when there is room")
            break
        answers.append(run_one(workspace, production, shadow=name, say=say))
    if json_output:
        print_json({"owed": len(due), "made": answers})
    elif not due:
        say("[green]nothing is owed[/]: every candidate was compared on every production that it is for")


@app.command("report")
def report(
    capability: Annotated[str, typer.Argument(help="Such as lipsync; or `workflow`, for whole second workflows.")],
    json_output: bool = JsonOption,
) -> None:
    """Compare over all productions: how many, what failed, latency, paired differences, and which one wins.

    Example:  sparkle shadow report lipsync
    """
    from sparkle_dagster.execution.shadow import comparisons
    from sparkle_dagster.execution.shadow_report import report_shadow
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    reports = [
        report_shadow(key.partition(".")[2], comparisons(workspace, key)) for key in _keys_of(workspace, capability)
    ]
    if json_output:
        print_json([asdict(found) for found in reports])
        return
    for found in reports:
        _show(found)
    if not reports:
        how = "sparkle run AUDIO --shadow-workflow FILE" if capability == "workflow" else "sparkle shadow run"
        console().print(f"nothing was compared for {capability} yet. [dim]next[/]  {how}")


def run_one(
    workspace: "Workspace",
    production: str,
    *,
    shadow: str = "",
    definition: "ArtifactRef | None" = None,
    say: Any = quiet,
) -> dict[str, Any]:
    """One shadow of one production as a Dagster run of this process; how it ended."""
    import dagster as dg

    from sparkle_dagster.cli.launch import HOST_TAG, PID_TAG, output_to
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.defs.reaper import LAUNCH_TAG
    from sparkle_dagster.defs.run_lock import hold_run
    from sparkle_dagster.defs.run_target import shadow_job
    from sparkle_dagster.defs.shadow import in_words, shadow_run_config, shadow_tags
    from sparkle_dagster.execution.shadow import comparison_of_run

    instance, launch = prepare_home(workspace), uuid.uuid4().hex
    hold_run(workspace.settings.home, launch)
    log = workspace.settings.home / "logs" / f"shadow-{production}-{time.strftime('%Y%m%d-%H%M%S')}-{launch[:6]}.log"
    tags = {
        **shadow_tags(workspace, production),
        LAUNCH_TAG: launch,
        PID_TAG: str(os.getpid()),
        HOST_TAG: socket.gethostname(),
    }
    with output_to(log):
        result = dg.execute_job(
            dg.reconstructable(shadow_job),
            instance,
            run_config=shadow_run_config(production, shadow=shadow, definition=definition),
            tags=tags,
            raise_on_error=False,
        )
    found = comparison_of_run(workspace, production, result.run_id)
    for line in in_words(found) if found else [f"shadow {shadow} of {production}: not made; its log is {log}"]:
        say(escape(line))
    comparison = found.model_dump(mode="json") if found else None
    return {"production": production, "shadow": shadow, "run_id": result.run_id, "comparison": comparison}


def load_second_workflow(workspace: "Workspace", path: Path) -> "ArtifactRef":
    """Check a second workflow and keep its definition, for a run in shadow.

    Raises:
        ConfigError: with file and line.
    """
    from sparkle_dagster.execution.definition import define, store_definition
    from sparkle_dagster.workflow.load import load_workflow

    if not path.is_file():
        raise ConfigError(f"--shadow-workflow: expected a workflow file, found none at {path}")
    workflow = load_workflow(path, workspace.registry.tasks)
    return store_definition(workspace.store, define(workflow, workspace.registry))


def _keys_of(workspace: "Workspace", capability: str) -> list[str]:
    """First parts of the keys of its comparisons."""
    keys = {key.partition("/")[0] for prefix in ("shadow.", "shadow-") for key in workspace.store.keys(prefix)}
    whole = sorted(key for key in keys if key.startswith("shadow-workflow.") and key.count(".") == 1)
    if capability == "workflow":
        return whole
    known = list(dict.fromkeys(node.capability for node in workspace.workflow.nodes))
    if capability not in known:
        raise ConfigError(f"expected a capability ({', '.join(known)}, workflow), got {capability!r}")
    nodes = {node.id for node in workspace.workflow.nodes if node.capability == capability}
    return sorted(key for key in keys if key.count(".") == 2 and key.split(".")[1] in nodes)


def _show(found: "ShadowReport") -> None:
    screen = console()
    primaries = ", ".join(f"{name} {count}" for name, count in found.primaries.items())
    screen.print(f"[bold]{found.shadow}[/] beside {primaries}: {found.count} production(s)")
    passed = f", {found.not_applicable} not for it" if found.not_applicable else ""
    screen.print(f"  compared {found.compared}, failed {found.failed}{passed}")
    screen.print(
        f"  failed attempts  {found.candidate_failed_attempts}; of what delivers {found.primary_failed_attempts}"
    )
    for error, count in found.errors.items():
        screen.print(f"  [red]{count} x[/] {escape(error)}")
    if found.latency_ratio is not None:
        ours, theirs = (found.primary_latency_ms or 0) / 1000, (found.candidate_latency_ms or 0) / 1000
        screen.print(
            f"  latency {theirs:.2f} s against {ours:.2f} s (medians), {found.latency_ratio:.2f} times as long"
        )
    screen.print(f"  verdicts better {found.verdicts_better}, worse {found.verdicts_worse}")
    table = Table("check", "pairs", "delivers", "shadow", "better by", "95 % interval")
    for check in found.checks:
        table.add_row(*_row(check))
    if found.checks:
        screen.print(table)
    words = {"candidate": f"[green]{found.shadow} wins[/]", "primary": "[yellow]what delivers wins[/]"}
    screen.print(f"  {words.get(found.winner, 'undecided')}: {escape(found.why)}")


def _row(check: "PairedCheck") -> tuple[str, ...]:
    interval = "" if check.low is None or check.high is None else f"{check.low:+.3g} to {check.high:+.3g}"
    values = (f"{check.primary:.3g}", f"{check.candidate:.3g}", f"{check.gain:+.3g} {check.unit}".strip())
    return (escape(check.title), str(check.count), *values, interval)
