"""`sparkle`: one file per group of commands; each imports what it needs when it runs, so that --help is quick."""

import typer

from contracts.errors import SparkleError
from sparkle_dagster.cli import demo, dev, installation, productions, runs, store
from sparkle_dagster.cli.output import fail

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
app.command("cancel")(runs.cancel)
app.command("status")(productions.status)
app.command("show")(productions.show)
app.command("export")(productions.export)
app.command("providers")(installation.providers)
app.command("validate")(installation.validate)
app.command("doctor")(installation.doctor)
app.command("fsck")(store.fsck)
app.command("dev")(dev.dev)


def main() -> None:
    """Entry point: a typed error is one readable paragraph and exit code 1, never a traceback."""
    try:
        app()
    except SparkleError as error:
        fail(str(error))
