"""`sparkle plan`, `refresh`, `workflow graph`: what would run, and why, before anything does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from contracts.errors import ConfigError, SparkleError
from sparkle_dagster.cli.output import JsonOption, console, fail, print_json, quiet

if TYPE_CHECKING:
    from sparkle_dagster.execution.history import Estimate
    from sparkle_dagster.execution.plan import Plan
    from sparkle_dagster.execution.switches import NodeSwitches
    from sparkle_dagster.workspace import Workspace

MAX_PASSES = 3
"""Of a refresh: what one leaves is what changed while it ran."""
UP_TO_DATE = "[green]up to date[/]: nothing would run"
COLOURS = {"RUN": "yellow", "HIT": "green", "PASS": "dim"}

OnlyOption = Annotated[str | None, typer.Option("--only", metavar="NODE", help="This node alone.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="NODE", help="This node and all that follows.")]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="NODE", help="No further than this node.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Make it anew although the same result is stored.")]
DisableOption = Annotated[
    list[str] | None, typer.Option("--disable", metavar="NODE", help="Use the no-op for this node, this time.")
]
ProviderOption = Annotated[
    list[str] | None, typer.Option("--provider", metavar="NODE=NAME", help="Use this provider alone, this time.")
]

workflow_app = typer.Typer(no_args_is_help=True, help="The workflow itself.")


def plan(
    production: Annotated[str, typer.Argument(help="Production key, as `sparkle status` shows it.")],
    only: OnlyOption = None,
    from_: FromOption = None,
    until: UntilOption = None,
    force: ForceOption = False,
    disable: DisableOption = None,
    provider: ProviderOption = None,
    json_output: bool = JsonOption,
) -> None:
    """What a run would do, node by node: RUN, HIT or PASS, why, and how long it takes. Starts nothing.

    Without a choice of nodes: what `sparkle refresh` would do. With one: what `sparkle rerun` with the same would do.

    Examples:  sparkle plan PRODUCTION      sparkle plan PRODUCTION --from lipsync --provider lipsync=mouth_warp
    """
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    found = planned(workspace, production, only, from_, until, force, disable or (), provider or ())
    if json_output:
        print_json(_document(found))
        return
    console().print(_table(found))
    parts = [f"--{name} {node}" for name, node in (("only", only), ("from", from_), ("until", until)) if node]
    switches = [*(["--force"] if force else []), *(f"--disable {node}" for node in disable or ())]
    switches += [f"--provider {item}" for item in provider or ()]
    console().print(f"[dim]next[/]  {_command(found, parts, switches)}" if found.assets else UP_TO_DATE)


def refresh(
    production: Annotated[str | None, typer.Argument(help="Production key.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every production of the workspace.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    json_output: bool = JsonOption,
) -> None:
    """Bring what is out of date up to date, and nothing else, until nothing is left.

    Ends with exit code 1 when a production could not be brought up to date; the others are.

    Examples:  sparkle refresh PRODUCTION      sparkle refresh --all --dry-run
    """
    from sparkle_dagster.cli.runs import known_keys, require_production
    from sparkle_dagster.execution.plan import Planner
    from sparkle_dagster.workspace import this_workspace

    if (production is None) == (not every):
        raise ConfigError("expected a production, or --all; got " + ("both" if every else "neither"))
    workspace = this_workspace()
    keys = known_keys(workspace)
    if production is not None:
        require_production(production, keys)
        keys = [production]
    planner = Planner(workspace)
    if dry_run:
        plans = [planner.plan(key) for key in keys]
        if json_output:
            print_json([_document(found) for found in plans])
        else:
            _show_all(plans)
        return
    answers = [_refreshed(workspace, planner, key, json_output) for key in keys]
    if json_output:
        print_json(answers)
    failed = [answer["production"] for answer in answers if answer["error"]]
    if failed and json_output:
        raise SystemExit(1)
    if failed:
        fail(f"{len(failed)} of {len(keys)} could not be brought up to date: {', '.join(failed)}", error="RunFailed")
    if not json_output and not any(answer["runs"] for answer in answers):
        console().print(f"[green]up to date[/]: {len(keys)} production(s), nothing ran")


@workflow_app.command("graph")
def graph(
    production: Annotated[str | None, typer.Argument(help="Draw this production's plan on it.")] = None,
) -> None:
    """The workflow as a Mermaid flowchart, for documents; with a production, its plan is drawn on it."""
    import sys

    from sparkle_dagster.cli.runs import known_keys, require_production
    from sparkle_dagster.execution.plan import Planner
    from sparkle_dagster.workflow.mermaid import Mark, workflow_graph_mermaid
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    if production is not None:
        require_production(production, known_keys(workspace))
    nodes = Planner(workspace).plan(production).nodes if production else ()
    marks = {
        node.node_id: Mark(node.planned.value, f"{node.provider} {_seconds(node.estimate)}".strip()) for node in nodes
    }
    sys.stdout.write(workflow_graph_mermaid(workspace.workflow, marks))


def planned(
    workspace: "Workspace",
    production: str,
    only: str | None,
    from_: str | None,
    until: str | None,
    force: bool,
    disable: Sequence[str],
    provider: Sequence[str],
) -> "Plan":
    """The plan of a command's switches: the one behind `plan`, `rerun` and what they refuse."""
    from sparkle_dagster.cli.runs import known_keys, require_production
    from sparkle_dagster.execution.plan import Planner
    from sparkle_dagster.execution.selection import select

    require_production(production, known_keys(workspace))
    selection = select(workspace.workflow, only=only, from_=from_, until=until)
    selected = selection.nodes if selection else {node.id for node in workspace.workflow.nodes}
    chosen = chosen_switches(workspace, selected, force=force, disable=disable, provider=provider)
    return Planner(workspace).plan(production, selection, chosen)


def switches_config(
    workspace: "Workspace", switches: "Mapping[str, NodeSwitches]", assets: Collection[str]
) -> dict[str, Any]:
    """Switches as Dagster's run config for the nodes whose ``assets`` are made; the launchpad takes the same."""
    from sparkle_dagster.defs.jobs import op_name

    asset_of = {node.id: node.asset_key for node in workspace.workflow.nodes}
    return {
        "ops": {
            op_name(workspace, asset_of[node_id]): {
                "config": {name: value for name, value in asdict(chosen).items() if value is not None}
            }
            for node_id, chosen in switches.items()
            if asset_of[node_id] in assets
        }
    }


def chosen_switches(
    workspace: "Workspace",
    selected: Collection[str] | None = None,
    *,
    force: bool = False,
    disable: Sequence[str],
    provider: Sequence[str],
) -> "dict[str, NodeSwitches]":
    """By node id, from a command's options.

    Args:
        selected: nodes that run; default: all.

    Raises:
        ConfigError: an unknown node or provider, or a switch for a node that does not run.
    """
    selected = {node.id for node in workspace.workflow.nodes} if selected is None else selected
    from sparkle_dagster.execution.switches import NodeSwitches

    chosen: dict[str, dict[str, Any]] = {node_id: {"force": True} for node_id in selected} if force else {}
    for node_id in disable:
        chosen.setdefault(node_id, {})["enabled"] = False
    for item in provider:
        node_id, separator, name = item.partition("=")
        if not separator:
            raise ConfigError(f"--provider: expected NODE=NAME, such as lipsync=mouth_warp, got {item!r}")
        chosen.setdefault(node_id, {})["provider"] = name
    known = [node.id for node in workspace.workflow.nodes]
    for node_id in chosen:
        if node_id not in known:
            raise ConfigError(f"expected a node ({', '.join(known)}), got {node_id!r}")
        if node_id not in selected:
            order = [node for node in known if node in selected]
            raise ConfigError(f"expected switches for nodes that run ({', '.join(order) or 'none'}), got {node_id}")
        if "provider" in chosen[node_id]:  # an unknown one is an error, with the known
            capability = workspace.workflow.node(node_id).capability
            workspace.registry.candidates(capability, provider=chosen[node_id]["provider"])
    return {node_id: NodeSwitches(**values) for node_id, values in chosen.items()}


def _refreshed(workspace: "Workspace", planner: Any, production: str, json_output: bool) -> dict[str, Any]:
    """One production, to a fixed point: (production, the assets of each run, error)."""
    from sparkle_dagster.cli.launch import execute, terminal
    from sparkle_dagster.execution.decisions import is_pending

    say = quiet if json_output else terminal().print
    runs: list[list[str]] = []
    unasked = 0
    """Passes that no policy asked for: its own are bounded by it."""
    try:
        while (found := planner.plan(production)).assets:
            unasked += not is_pending(workspace, production)
            if unasked > MAX_PASSES:
                raise ConfigError(f"{production} is out of date again after {MAX_PASSES} runs: something changes it")
            say(f"[bold]{production}[/]  {', '.join(found.assets)}")
            report = execute(workspace, production, found.assets, {}, say)
            runs.append(list(found.assets))
            if not report.success:
                failed = next((node for node in report.unfinished.values() if node.error), None)
                return _answer(production, runs, f"{failed.node_id}: {failed.error}" if failed else "the run failed")
    except SparkleError as error:
        say(f"[red]{production}[/]  {escape(str(error))}")
        return _answer(production, runs, str(error))
    return _answer(production, runs, "")


def _answer(production: str, runs: list[list[str]], error: str) -> dict[str, Any]:
    return {"production": production, "runs": runs, "error": error}


def _document(found: "Plan") -> dict[str, Any]:
    return {
        "production": found.production,
        "nodes": [asdict(node) for node in found.nodes],
        "assets": list(found.assets),
        "estimate": asdict(found.seconds) if found.seconds else None,
    }


def _command(found: "Plan", parts: list[str], switches: list[str]) -> str:
    """What does as the plan says; `refresh` takes no switches."""
    due = [node.node_id for node in found.nodes if not node.is_current]
    if not parts and not (switches and due):
        return f"sparkle refresh {found.production}"
    return " ".join(["sparkle rerun", found.production, *(parts or [f"--from {due[0]}"]), *switches])


def _table(found: "Plan") -> Group:
    table = Table("node", "plan", "provider", "seconds", "why", title=found.production, title_justify="left")
    for node in found.nodes:
        colour = COLOURS[node.planned.value]
        seconds = "" if node.planned.value != "RUN" else _seconds(node.estimate) or "never ran here"
        table.add_row(node.node_id, f"[{colour}]{node.planned}[/]", node.provider, seconds, escape(node.why))
    total = found.seconds
    running = any(node.planned.value == "RUN" for node in found.nodes)
    lines = [f"about {_seconds(total)}"] if running and total else []
    return Group(table, *lines)


def _show_all(plans: "list[Plan]") -> None:
    due = [found for found in plans if found.assets]
    for found in due:
        nodes = ", ".join(f"{node.planned} {node.node_id} ({node.why})" for node in found.nodes if not node.is_current)
        console().print(f"[bold]{found.production}[/]  {escape(nodes) or 'report'}")
    console().print(f"{len(due)} of {len(plans)} production(s) would be made, in part")


def _seconds(estimate: "Estimate | None") -> str:
    """``3.1 s (2.9-4.0)``; empty where nothing is known."""
    if estimate is None:
        return ""
    return f"{estimate.seconds:.1f} s ({estimate.least:.1f}-{estimate.most:.1f})"
