"""`sparkle approve`, `reject`: a person's word on a production that a policy has decided on."""

import getpass
from typing import Annotated, Literal

import typer

from sparkle_dagster.cli.output import JsonOption, console, print_json

ProductionArgument = Annotated[str, typer.Argument(help="Production key, as `sparkle status` shows it.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why; it stands in the report.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who; default: the user of this machine.")]


def approve(
    production: ProductionArgument, note: NoteOption = "", by: ByOption = None, json_output: bool = JsonOption
) -> None:
    """Approve the video of a production. It counts for this very video; another one is decided anew.

    An approved production is kept by `sparkle gc`, until it is rejected.
    """
    _rule(production, "approve", note, by, json_output)


def reject(
    production: ProductionArgument, note: NoteOption = "", by: ByOption = None, json_output: bool = JsonOption
) -> None:
    """Reject the video of a production. It counts for this very video; another one is decided anew."""
    _rule(production, "reject", note, by, json_output)


def _rule(production: str, verdict: Literal["approve", "reject"], note: str, by: str | None, json_output: bool) -> None:
    from sparkle_dagster.cli.runs import known_keys, require_production
    from sparkle_dagster.execution.decisions import rule
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    require_production(production, known_keys(workspace))
    who = by or getpass.getuser()
    ruling = rule(workspace, production, verdict, by=who, note=note)
    if json_output:
        print_json({"production": production, **ruling.model_dump(mode="json")})
        return
    console().print(f"{production}: {verdict}, said {who} of the video {ruling.of[:16]}")
    console().print(f"[dim]next[/]  the daemon carries on; without one: sparkle refresh {production}")
