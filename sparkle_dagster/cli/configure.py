"""`sparkle configure`: choose providers and turn nodes off, for one run or, when told to, for the workspace."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.prompt import Confirm, Prompt

from contracts.errors import ConfigError
from sparkle_dagster.cli.output import JsonOption, console, print_json

AS_CONFIGURED = "-"


def configure(
    disable: Annotated[list[str] | None, typer.Option(help="Turn this node off; asks nothing.")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="NODE=NAME; asks nothing.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Write it into the workspace's overlay.")] = False,
    json_output: bool = JsonOption,
) -> None:
    """Walk through the nodes: on or off, which provider. Prints the switches for a run; changes no file.

    With --save they become the workspace's own: configs/workspaces/<workspace>.yaml, laid over the shared file.

    Examples:  sparkle configure      sparkle configure --disable lipsync --save
    """
    from sparkle_dagster.cli.plans import chosen_switches
    from sparkle_dagster.workspace import load_workspace

    workspace = load_workspace()
    asked = not (disable or provider or json_output)
    disabled, chosen = _ask(workspace) if asked else (list(disable or ()), list(provider or ()))
    chosen_switches(
        workspace, disable=disabled, provider=chosen
    )  # unknown nodes and providers are errors, with the known ones
    words = [*(f"--disable {node}" for node in disabled), *(f"--provider {item}" for item in chosen)]
    written = _save(workspace, disabled, chosen) if save else None
    if json_output:
        print_json({"switches": words, "written": str(written) if written else None})
        return
    console().print(f"[bold]switches[/]  {escape(' '.join(words)) or 'none: everything as configured'}")
    if written:
        console().print(f"[green]written[/]   {written}; `sparkle providers` shows what holds now")
    else:
        console().print(f"[dim]next[/]  sparkle run AUDIO {escape(' '.join(words))}   or the same with --save")


def _ask(workspace: Any) -> tuple[list[str], list[str]]:
    disabled: list[str] = []
    chosen: list[str] = []
    reports = {report.capability: report for report in workspace.registry.describe()}
    for node in workspace.workflow.nodes:
        report = reports[node.capability]
        console().print(f"\n[bold]{node.id}[/]  {node.capability}, selected: {report.selected or 'nobody can run'}")
        for item in report.providers:
            console().print(f"  {item.name:<16} {item.state:<12} [dim]{escape(item.reason)}[/]")
        if not report.enabled:
            console().print("  [yellow]turned off in the tool registry[/]")
            continue
        if not Confirm.ask("  run it", default=True):
            disabled.append(node.id)
            continue
        names = [item.name for item in report.providers if item.state in {"selected", "next", "not_listed"}]
        answer = Prompt.ask("  provider", choices=[AS_CONFIGURED, *names], default=AS_CONFIGURED)
        if answer != AS_CONFIGURED:
            chosen.append(f"{node.id}={answer}")
    return disabled, chosen


def _save(workspace: Any, disabled: list[str], chosen: list[str]) -> Path:
    """Change the workspace's overlay, keeping what else and what comments stand in it.

    Raises:
        ConfigError: the overlay would not be valid; it is left as it was.
    """
    from ruamel.yaml import YAML

    from sparkle_dagster.workspace import load_workspace

    settings = workspace.settings
    path = settings.project / "configs" / "workspaces" / f"{settings.workspace}.yaml"
    yaml = YAML()
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    document = (yaml.load(before) if before else None) or {}
    capability = {node.id: node.capability for node in workspace.workflow.nodes}
    for node_id in disabled:
        document.setdefault(capability[node_id], {})["enabled"] = False
    for node_id, _, name in (item.partition("=") for item in chosen):
        section = document.setdefault(capability[node_id], {})
        section["enabled"] = True
        section["providers"] = [name]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)
    try:
        load_workspace(settings.project)
    except ConfigError:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
        raise
    return path
