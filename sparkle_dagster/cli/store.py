"""`sparkle fsck`: the store, checked and mended."""

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sparkle_dagster.cli.output import JsonOption, console, print_json


def fsck(
    repair: bool = typer.Option(False, "--repair", help="Quarantine what is wrong, heal what can be healed."),
    json_output: bool = JsonOption,
) -> None:
    """Check every manifest and every stored file of the workspace, byte by byte.

    Ends with exit code 1 when something is wrong, with --repair when something must be made again.

    Examples:  sparkle fsck      sparkle fsck --repair
    """
    from sparkle_dagster.artifacts.fsck import check_store
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    sources = kept_uploads(workspace) if repair else ()
    with _bar() as progress:
        report = check_store(
            workspace.store.root, workspace.store.workspace, repair=repair, sources=sources, progress=progress
        )
    commands = commands_for(workspace, report.lost_keys)
    if json_output:
        print_json({"sound": report.is_sound, **report.model_dump(mode="json"), "commands": commands})
    else:
        _tell(report, commands, repaired=repair)
    if not report.is_sound:
        raise typer.Exit(1)


def kept_uploads(workspace: Any) -> Iterable[Path]:
    """Files that uploads were made from: they may hold bytes that the store lost."""
    yield from sorted(path for path in (workspace.inbox / "admitted").glob("*/*") if path.is_file())
    yield workspace.presenter


def commands_for(workspace: Any, lost_keys: Iterable[str]) -> list[str]:
    """What makes the lost keys again: per production, from the first node that lost something."""
    order = [*workspace.result_types, "report"]
    nodes = {node.asset_key: node.id for node in workspace.workflow.nodes}
    first: dict[str, str] = {}
    for key in lost_keys:
        asset, _, production = key.partition("/")
        if asset in order and order.index(asset) <= order.index(first.get(production, order[-1])):
            first[production] = asset
    return [_command(production, nodes.get(asset, asset)) for production, asset in sorted(first.items())]


def _command(production: str, node: str) -> str:
    if node == "upload":
        return f"sparkle run AUDIO   with the files that {production} was made from; then sparkle fsck"
    return f"sparkle rerun {production} --from {node}"


def _tell(report: Any, commands: list[str], *, repaired: bool) -> None:
    screen = console()
    for finding in report.findings:
        colour = "red" if finding.is_damage else "yellow"
        screen.print(f"[{colour}]{finding.problem.value}[/]  {finding.place}")
        screen.print(f"  {escape(finding.message)}")
        screen.print(
            f"  [dim]{'done' if finding.repaired else 'next'}[/]  {escape(finding.repaired or finding.remedy)}"
        )
        if finding.keys:
            screen.print(f"  [dim]lost[/]  {', '.join(finding.keys)}")
    found = f"{report.manifest_count} manifests, {report.blob_count} files, {report.size_bytes:,} bytes"
    state = "[green]sound[/]" if report.is_sound else "[red]damaged[/]"
    screen.print(f"{state}  {found}")
    if not report.is_sound and not repaired:
        screen.print("[dim]next[/]  sparkle fsck --repair")
    for command in commands:
        screen.print(f"[dim]{'next' if repaired else 'then'}[/]  {command}")


@contextmanager
def _bar() -> Generator[Any]:
    """A bar on stderr while bytes are compared; nothing when that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("manifests", total=None)

        def show(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total or None, description=note)

        yield show
