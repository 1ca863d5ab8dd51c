"""`sparkle demo`: one production from the shipped samples, the same with lip-sync turned off, and a page with both."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sparkle_dagster.cli.output import JsonOption, console, fail, print_json, quiet


@dataclass(frozen=True)
class Take:
    """One state of the production, exported."""

    name: str
    heading: str
    folder: Path
    summary: Any


def demo(
    to: Annotated[Path, typer.Option("--to", help="Folder for the page and the videos.")] = Path("demo"),
    json_output: bool = JsonOption,
) -> None:
    """Make a talking video from the shipped photo and voice, turn lip-sync off and on again, and show both."""
    from sparkle_dagster.cli.runs import execute_and_show
    from sparkle_dagster.defs.jobs import op_name
    from sparkle_dagster.execution.selection import assets_from
    from sparkle_dagster.workspace import this_workspace

    started = time.monotonic()
    workspace = this_workspace()
    lipsync = next((node for node in workspace.workflow.nodes if node.capability == "lipsync"), None)
    if lipsync is None:
        fail(
            "the demo turns lip-sync off and on: expected a node with the task LipSyncTask in the workflow, found none"
        )
    say = quiet if json_output else console().print
    say("[bold]1[/] a voice and a photo become a talking video")
    production = _first_run(workspace, json_output)
    talking = _take(workspace, production, to, "talking", "Lip-sync on")
    following = assets_from(workspace.workflow, lipsync.id)
    say("[bold]2[/] the same production with lip-sync turned off")
    off = {"ops": {op_name(workspace, lipsync.asset_key): {"config": {"enabled": False}}}}
    execute_and_show(workspace, production, following, off, json_output)
    silent = _take(workspace, production, to, "lipsync-off", "Lip-sync off")
    say("[bold]3[/] and on again, as it stays")
    execute_and_show(workspace, production, following, {}, json_output)
    page = _write_page(workspace, production, to, talking, silent)
    seconds = time.monotonic() - started
    if json_output:
        print_json({"production": production, "page": str(page), "seconds": round(seconds, 1)})
        return
    say(f"\n[bold green]done[/] in {seconds:.0f} s: open [bold]{page.resolve()}[/] in a browser")
    say("[dim]next[/]  make dev   opens the Dagster UI with this production in it")


def _first_run(workspace: Any, json_output: bool) -> str:
    """The samples through intake; when they were admitted before, their production from the script on."""
    from sparkle_dagster.cli.runs import execute_and_show, start_or_find
    from sparkle_dagster.execution.selection import assets_from

    samples = workspace.settings.project / "samples"
    given = {"audio": samples / "voice.wav", "transcript": samples / "voice.txt"}
    production, report = start_or_find(workspace, given, {}, json_output)
    if report is None:
        execute_and_show(workspace, production, assets_from(workspace.workflow, "upload"), {}, json_output)
    return production


def _take(workspace: Any, production: str, to: Path, name: str, heading: str) -> Take:
    from sparkle_dagster.cli.productions import export_to, summary_of

    export_to(workspace, production, to / name)
    return Take(name, heading, to / name, summary_of(workspace, production))


def _write_page(workspace: Any, production: str, to: Path, talking: Take, silent: Take) -> Path:
    from sparkle_dagster.observability.demo_page import render_demo
    from sparkle_dagster.observability.production_view import view_production

    page = to / "index.html"
    view = view_production(workspace, production)
    takes = [(take.name, take.heading, take.summary) for take in (talking, silent)]
    page.write_text(render_demo(view, takes), encoding="utf-8")
    return page
