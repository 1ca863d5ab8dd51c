"""`sparkle status`, `show`, `export`."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table

from contracts.errors import ArtifactMissing, ConfigError
from contracts.events import NodeStatus
from sparkle_dagster.cli.output import JsonOption, console, print_json

RECENT_RUNS = 50
"""A refused upload is listed as long as its run is among these."""
COLOURS = {
    "succeeded": "green",
    "cached": "green",
    "passed_through": "yellow",
    "out of date": "yellow",
    "failed": "red",
    "blocked": "red",
}
UNREMARKABLE = {"succeeded", "cached"}
"""States of a node that an overview need not spell."""


def status(
    production: Annotated[str | None, typer.Argument(help="Production key; without it, all of them.")] = None,
    json_output: bool = JsonOption,
) -> None:
    """What state productions are in, node by node.

    Examples:  sparkle status      sparkle status voice-0123456789abcdef --json
    """
    from sparkle_dagster.execution.inbox import left_alone
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    keys = [production] if production else production_keys(workspace)
    summaries = [summary_of(workspace, key) for key in keys]
    if json_output:
        documents = [summary.model_dump(mode="json") for summary in summaries]
        print_json(documents[0] if production else documents)
    elif not summaries:
        console().print("No production yet. [dim]next[/]  sparkle run AUDIO   or   sparkle demo")
    else:
        console().print(_overview(summaries) if not production else _nodes_table(summaries[0]))
        for summary in summaries:
            if command := _finishing_command(workspace, summary):
                console().print(f"[dim]next[/]  {command}")
    if not production and not json_output:
        for name, why in left_alone(workspace.inbox).items():
            console().print(f"[yellow]left alone[/] in the inbox  {escape(name)}: {escape(why)}")


def show(
    production: Annotated[str, typer.Argument(help="Production key.")],
    json_output: bool = JsonOption,
) -> None:
    """Summary of a production: verdict, metrics of each node, artifacts, where the logs are."""
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    summary = summary_of(workspace, production)
    if json_output:
        print_json(summary.model_dump(mode="json"))
        return
    screen = console()
    screen.print(_nodes_table(summary))
    for node in summary.nodes:
        for name, value in node.metrics.items():
            screen.print(f"  {node.node_id}.{name} = {value}")
        for note in node.notes:
            screen.print(f"  [yellow]{node.node_id}[/] {escape(note)}")
    artifacts = Table(
        Column("artifact", no_wrap=True), "type", "bytes", "sha256", title="Artifacts", title_justify="left"
    )
    for name, ref in summary.artifacts.items():
        artifacts.add_row(name, ref.media_type, f"{ref.size_bytes:,}", ref.digest[:16])
    screen.print(artifacts)
    screen.print(f"logs   {summary.logs or 'none in this installation'}")
    screen.print(f"[dim]next[/]   sparkle export {production} --to FOLDER")


def export(
    production: Annotated[str, typer.Argument(help="Production key.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the copies; made when it is not there.")],
    json_output: bool = JsonOption,
) -> None:
    """Copy what a person wants to have: the video, captions, poster, report page and summary.

    Example:  sparkle export voice-0123456789abcdef --to out
    """
    from sparkle_dagster.workspace import this_workspace

    files = export_to(this_workspace(), production, to)
    if json_output:
        print_json({name: str(path) for name, path in files.items()})
    else:
        for name, path in files.items():
            console().print(f"  {name:<14} {path}")


def export_to(workspace: Any, production: str, folder: Path) -> dict[str, Path]:
    """Write the deliverables of the newest generations; the page is rendered from them, so it is never older."""
    from contracts.video import VideoAssemblyResult
    from sparkle_dagster.observability.production_view import view_production
    from sparkle_dagster.observability.report_page import write_report

    view = view_production(workspace, production)
    video = view.newest(VideoAssemblyResult)
    if video is None:
        raise ConfigError(f"expected a finished production, got {production} without a video; see `sparkle status`")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--to: expected a folder that can be written, got {folder} ({error.strerror})") from error
    wanted = {
        "video.mp4": video.assembled_video,
        "captions.srt": video.captions_srt,
        "captions.vtt": video.captions_vtt,
        "poster.jpg": video.poster,
    }
    written: dict[str, Path] = {}
    for name, ref in wanted.items():
        if ref is not None:
            written[name] = folder / name
            with workspace.store.open(ref) as stream, _whole(written[name]) as copy:
                shutil.copyfileobj(stream, copy)
    summary = summary_of(workspace, production)
    written |= {name: folder / name for name in ("report.html", "summary.json")}
    with _whole(written["report.html"]) as page:
        write_report(view, summary, page)
    with _whole(written["summary.json"]) as file:
        file.write(summary.model_dump_json(indent=2).encode())
    return written


@contextmanager
def _whole(target: Path) -> Generator[BinaryIO]:
    """A file to write; it stands at ``target`` once all of it is written."""
    beside = target.with_suffix(".new")
    with beside.open("wb") as file:
        yield file
    beside.replace(target)


def production_keys(workspace: Any) -> list[str]:
    """Every production that has an upload, every one that has not got that far, and what was lately refused."""
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.defs.jobs import PRODUCTION_TAG
    from sparkle_dagster.defs.partitions import PRODUCTIONS

    committed = {key.removeprefix("upload/") for key in workspace.store.keys("upload/")}
    instance = prepare_home(workspace)
    begun = set(instance.get_dynamic_partitions(str(PRODUCTIONS.name)))
    tried = {run.tags.get(PRODUCTION_TAG, "") for run in instance.get_runs(limit=RECENT_RUNS)} - {""}
    return sorted(committed | begun | tried)


def summary_of(workspace: Any, production: str) -> Any:
    """Store and event log together: what is made, what failed, what waits."""
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.observability.production_view import Production, summarize, view_production
    from sparkle_dagster.observability.run_states import unfinished_nodes

    instance = prepare_home(workspace)
    logs = sorted((workspace.settings.home / "logs").glob(f"{production}-*.log"))
    try:
        view = view_production(workspace, production)
    except ArtifactMissing:
        if production not in production_keys(workspace):
            raise
        view = Production(production, workspace, ())  # nothing of it was kept, or it has not begun
    return summarize(view, unfinished_nodes(instance, workspace, production), str(logs[-1]) if logs else "")


def deliver(workspace: Any, production: str) -> list[str]:
    """Export to the home's ``out`` folder, and say where and what verdict, for people."""
    files = export_to(workspace, production, workspace.settings.home / "out" / production)
    summary = summary_of(workspace, production)
    notes = [f"[yellow]note[/]    {node.node_id}: {escape(note)}" for node in summary.nodes for note in node.notes]
    return [
        *notes,
        f"video   {files['video.mp4']}",
        f"report  {files['report.html']}",
        f"verdict [bold]{summary.verdict or 'unfinished'}[/], fidelity {summary.fidelity}",
    ]


def _finishing_command(workspace: Any, summary: Any) -> str:
    """What makes the rest of a production of which a node failed, or of which a person decides; empty for others."""
    from sparkle_dagster.execution.decisions import decision_of, is_pending, policy_node

    failed = next((node.node_id for node in summary.nodes if node.status == NodeStatus.FAILED), "")
    if failed == "upload" and not summary.run_ids:
        return f"{summary.production} was not admitted: give its files again, as sparkle run AUDIO or in the inbox"
    if failed:
        return f"sparkle rerun {summary.production} --from {failed}"
    node = policy_node(workspace)
    decision = decision_of(workspace, node, summary.production) if node else None
    if is_pending(workspace, summary.production):
        return f"sparkle refresh {summary.production}   (the daemon does it by itself)"
    if decision is not None and decision.action == "escalate":
        return f"sparkle approve {summary.production}   or   sparkle reject {summary.production}"
    return ""


def _overview(summaries: list[Any]) -> Table:
    table = Table(Column("production", no_wrap=True), "title", "nodes", "fidelity", "verdict")
    for summary in summaries:
        nodes = " ".join(_state(node) for node in summary.nodes)
        table.add_row(summary.production, escape(summary.title), nodes, summary.fidelity or "", summary.verdict or "-")
    return table


def _nodes_table(summary: Any) -> Group:
    """A row per node, and below it a line for each one that has something to tell."""
    verdict = summary.verdict or "unfinished"
    title = f"{summary.production}   verdict {verdict}, fidelity {summary.fidelity or 'unknown'}"
    table = Table("node", "status", "provider", "fidelity", "time", "retries", title=title, title_justify="left")
    told: list[str] = []
    for node in summary.nodes:
        table.add_row(
            node.node_id,
            _state(node, name=False),
            node.provider,
            node.fidelity or "",
            f"{node.latency_ms / 1000:.1f} s" if node.latency_ms else "",
            str(node.retries or ""),
        )
        told += [f"  {node.node_id}: {escape(text)}" for text in told_of(node)]
    return Group(table, *told)


def told_of(node: Any) -> list[str]:
    """Of a node beyond its state: the error, the reason, who was passed over, and each start when one failed."""
    texts = [node.error, node.reason]
    texts += [f"{item.provider}: {item.reason}" for item in node.trace if item.reason and item.reason != node.reason]
    if any(attempt.error for attempt in node.attempts):
        texts += [
            f"{item.provider} #{item.number} {item.error or 'succeeded'} after {item.latency_ms / 1000:.1f} s"
            for item in node.attempts
        ]
    return [text for text in dict.fromkeys(texts) if text]


def _state(node: Any, *, name: bool = True) -> str:
    state = node.status.value if node.status else "never made"
    if node.out_of_date and not node.error:
        state = "out of date"
    text = (node.node_id if state in UNREMARKABLE else f"{node.node_id}:{state}") if name else state
    return f"[{COLOURS.get(state, 'dim')}]{text}[/]"
