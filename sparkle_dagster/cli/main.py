"""`sparkle`: one file per group of commands; each imports what it needs when it runs, so that --help is quick."""

import atexit
import gc as collector
import sys

import typer

from contracts.errors import SparkleError
from sparkle_dagster.cli import (
    approvals,
    configure,
    demo,
    dev,
    events,
    gc,
    installation,
    lanes,
    lineage,
    move,
    plans,
    productions,
    runs,
    serve,
    shadow,
    store,
    workspaces,
)
from sparkle_dagster.cli.output import fail, print_json, wants_json

COLLECT_EVERY = 50_000
"""New objects. Loading Dagster makes a million that stay: looking for rings among them takes a tenth of that time."""
WRONG_USAGE = 2
"""Exit code of Click for arguments that it does not understand."""

app = typer.Typer(
    name="sparkle",
    help="A recorded voice and a face become a finished talking video, with captions and a quality report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

app.command("demo")(demo.demo)
app.command("run")(runs.run)
app.command("rerun")(runs.rerun)
app.command("plan")(plans.plan)
app.command("refresh")(plans.refresh)
app.add_typer(plans.workflow_app, name="workflow")
app.command("why")(lineage.why)
app.command("replay")(lineage.replay)
app.add_typer(lineage.definition_app, name="definition")
app.command("approve")(approvals.approve)
app.command("reject")(approvals.reject)
app.command("cancel")(runs.cancel)
app.command("status")(productions.status)
app.command("show")(productions.show)
app.command("export")(productions.export)
app.command("events")(events.events)
app.command("lanes")(lanes.lanes)
app.command("providers")(installation.providers)
app.command("configure")(configure.configure)
app.command("validate")(installation.validate)
app.command("doctor")(installation.doctor)
app.command("fsck")(store.fsck)
app.command("serve")(serve.serve)
app.add_typer(shadow.app, name="shadow")
app.add_typer(move.app, name="store")
app.add_typer(workspaces.app, name="workspace")
app.command("gc")(gc.gc)
app.command("hold")(gc.hold)
app.command("dev")(dev.dev)


def main() -> None:
    """Entry point: a typed error is one readable paragraph and exit code 1, never a traceback."""
    collector.set_threshold(COLLECT_EVERY)
    atexit.register(collector.freeze)  # at the end nothing needs to be collected; it would take a quarter of a second
    try:
        app()
    except SparkleError as error:
        fail(str(error), error=type(error).__name__)
    except Exception as error:
        _answer(type(error).__name__, str(error))
        raise
    except SystemExit as end:
        if end.code == WRONG_USAGE:
            _answer("UsageError", "the command line is not understood; standard error says where")
        raise


def _answer(error: str, message: str) -> None:
    """A program gets a document also when an error was not foreseen."""
    if wants_json():
        print_json({"error": error, "message": message})
        sys.stdout.flush()
