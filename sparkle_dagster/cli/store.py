"""`sparkle fsck`: the store, checked and mended."""

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sparkle_dagster.artifacts.findings import MANIFEST_PROBLEMS, Finding
from sparkle_dagster.cli.output import JsonOption, console, print_json


def fsck(
    repair: bool = typer.Option(False, "--repair", help="Quarantine what is wrong, heal what can be healed."),
    from_: Annotated[
        Path | None, typer.Option("--from", help="With --repair: a folder with files that uploads were made from.")
    ] = None,
    json_output: bool = JsonOption,
) -> None:
    """Check every manifest and every stored file of the workspace, byte by byte.

    Ends with exit code 1 when something is wrong, with --repair when something must be made again.

    Examples:  sparkle fsck      sparkle fsck --repair      sparkle fsck --repair --from originals
    """
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    sources = kept_uploads(workspace, from_) if repair else ()
    with bar() as progress:
        report = workspace.store.check(repair=repair, sources=sources, progress=progress)
    commands = commands_for(workspace, report.findings)
    if json_output:
        print_json({"sound": report.is_sound, **report.model_dump(mode="json"), "commands": commands})
    else:
        _tell(report, commands, repaired=repair)
    if not report.is_sound:
        raise typer.Exit(1)


def kept_uploads(workspace: Any, folder: Path | None) -> Iterable[Path]:
    """Files that uploads were made from: they may hold bytes that the store lost."""
    yield from sorted(path for path in (workspace.inbox / "admitted").glob("*/*") if path.is_file())
    yield workspace.presenter
    if folder is not None:
        yield from sorted(path for path in folder.iterdir() if path.is_file())


def commands_for(workspace: Any, findings: Iterable[Finding]) -> list[str]:
    """What makes lost keys again: per production, from the first node that lost something."""
    order = [*workspace.result_types, "report"]
    nodes = {node.asset_key: node.id for node in workspace.workflow.nodes}
    first: dict[str, tuple[int, bool]] = {}
    for finding in findings:
        for asset, _, production in (key.partition("/") for key in finding.keys):
            if asset in order:
                lost = (order.index(asset), finding.problem not in MANIFEST_PROBLEMS)
                first[production] = min(first.get(production, lost), lost)
    return [
        _command(production, nodes.get(order[index], order[index]), is_bytes=is_bytes)
        for production, (index, is_bytes) in sorted(first.items())
    ]


def _command(production: str, node: str, *, is_bytes: bool) -> str:
    if node != "upload":
        return f"sparkle rerun {production} --from {node}"
    if is_bytes:
        return f"sparkle fsck --repair --from FOLDER   a folder with the files that {production} was made from"
    return f"sparkle run AUDIO   with the files that {production} was made from"


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
    for command in commands if repaired else ():
        screen.print(f"[dim]next[/]  {command}")


@contextmanager
def bar() -> Generator[Any]:
    """A bar on stderr while bytes are compared; nothing when that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("manifests", total=None)

        def show(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total or None, description=note)

        yield show
