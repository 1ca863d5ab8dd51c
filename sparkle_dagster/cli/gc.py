"""`sparkle gc`, `hold`: what is kept and what goes."""

import uuid

import typer
from rich.markup import escape

from sparkle_dagster.cli.output import JsonOption, console, fail, print_json


def gc(
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Say what would go, why, and how many bytes; remove nothing."
    ),
    json_output: bool = JsonOption,
) -> None:
    """Remove what the retention rules no longer keep, and bytes that nothing refers to.

    Safe beside runs: what a run in flight uses stays. What goes leaves a tombstone that says how to make it again.
    """
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.defs.retention import collect_garbage
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    collected, runs = collect_garbage(workspace, prepare_home(workspace), dry_run=dry_run)
    if json_output:
        print_json({**collected.model_dump(mode="json"), "run_count": runs})
        return
    screen, verb = console(), "would go" if dry_run else "went"
    for item in collected.gone:
        screen.print(f"[yellow]{verb}[/]  {escape(item.what)}  [dim]{item.size_bytes:,} bytes; {escape(item.why)}[/]")
    for production, why in sorted(collected.protected.items()):
        screen.print(f"[green]stays[/]  {production}  [dim]{escape(why)}[/]")
    again = f"; {collected.spared_count} were used again" if collected.spared_count else ""
    screen.print(
        f"{collected.blob_count} stored files ({collected.size_bytes:,} bytes), {collected.name_count} names and "
        f"{runs} records of runs {verb}{again}"
    )
    if dry_run:
        screen.print("[dim]next[/]  sparkle gc")


def hold(
    production: str = typer.Argument(metavar="{production}", help="As `sparkle status` shows it."),
    reason: str = typer.Option("", "--reason", help="Told by `sparkle gc`."),
    release: bool = typer.Option(False, "--release", help="Let go of it again."),
    json_output: bool = JsonOption,
) -> None:
    """Keep a production whatever the retention rules say."""
    from sparkle_dagster.execution.retention import set_hold
    from sparkle_dagster.workspace import this_workspace

    store = this_workspace().store
    if not store.generations(f"upload/{production}"):
        fail(f"expected a production, got {production!r}, of which nothing is stored", hint="sparkle status")
    set_hold(store, production, held=not release, reason=reason, attempt_id=f"hold:{uuid.uuid4().hex}")
    if json_output:
        print_json({"production": production, "held": not release, "reason": reason})
    else:
        console().print(f"{production} is {'no longer held' if release else 'held'}")
