"""`sparkle events`: what the spool holds, and which sinks wait for it."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sparkle_dagster.cli.output import JsonOption, console, fail, print_json


def events(
    production: Annotated[str | None, typer.Option(help="Only of this production.")] = None,
    last: Annotated[int, typer.Option(help="How many, the newest ones.", min=1)] = 20,
    deliver: Annotated[bool, typer.Option("--deliver", help="First bring the sinks up to date, once.")] = False,
    json_output: bool = JsonOption,
) -> None:
    """The newest node events, and how far each sink is. `sparkle serve` delivers all the time; --deliver does it once.

    Examples:  sparkle events --last 50      sparkle events --deliver
    """
    from sparkle_dagster.observability.delivery import sink_states
    from sparkle_dagster.observability.emitting import spool_of
    from sparkle_dagster.observability.sinks import line_for_people
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    troubles = _deliver_all(workspace) if deliver else []
    spool = spool_of(workspace)
    found = list(_newest(spool, production, last))
    states = sink_states(workspace.registry.settings.sinks, spool, spool.folder.parent)
    if json_output:
        print_json(
            {
                "events": [item.event.model_dump(mode="json", exclude_none=True) for item in found],
                "first": spool.first,
                "last": spool.last,
                "sinks": [asdict(state) for state in states],
            }
        )
    else:
        for item in found:
            console().print(f"[dim]{item.number:>7}[/]  {escape(line_for_people(item.event))}")
        table = Table("sink", "waiting", "delivered", "dropped", "refused", "trouble")
        for state in states:
            cursor = state.cursor
            counts = (state.waiting, cursor.delivered, cursor.dropped, cursor.refused)
            table.add_row(state.name, *map(str, counts), escape(cursor.error))
        console().print(table)
    if troubles:
        fail(f"not delivered: {'; '.join(troubles)}", hint="mend it and try again: the events wait")


def _newest(spool: Any, production: str | None, count: int) -> Iterator[Any]:
    """The last events; of one production, the last of those that are kept."""
    after = spool.first - 1 if production else max(spool.last - count, 0)
    kept: list[Any] = []
    while batch := spool.read(after):
        after = batch[-1].number
        kept = [*kept, *(item for item in batch if production in (None, item.event.production))][-count:]
    yield from kept


def _deliver_all(workspace: Any) -> list[str]:
    """Everything that waits, to every sink; what went wrong, by sink."""
    from sparkle_dagster.observability.delivery import movers, read_cursor
    from sparkle_dagster.observability.emitting import spool_of

    spool = spool_of(workspace)
    folder = spool.folder.parent
    troubles: list[str] = []
    for mover in movers(workspace.registry.settings.sinks, spool, folder, workspace.settings.resolve):
        while mover.deliver_once():
            pass
        error = read_cursor(folder, mover.name).error
        troubles += [f"{mover.name}: {error}"] if error else []
    return troubles
