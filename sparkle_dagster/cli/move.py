"""`sparkle store copy`, `sparkle store diff`: a workspace's artifacts in another store."""

import re
from typing import Any

import typer
from rich.markup import escape

from contracts.errors import ConfigError
from sparkle_dagster.cli.output import JsonOption, console, print_json

app = typer.Typer(name="store", help="Move this workspace's artifacts, and compare.", no_args_is_help=True)

_STORE = "here: the configured store; a folder; or gs: followed by bucket/prefix, with two slashes as in a URL."
_FROM = typer.Argument(metavar="{from}", help=_STORE)
_TO = typer.Argument(metavar="{to}", help="As {from}.")
_BUCKET = re.compile(r"gs:/{2}(?P<bucket>[^/]+)(/(?P<prefix>.*))?")


@app.command("copy")
def copy(from_: str = _FROM, to: str = _TO, json_output: bool = JsonOption) -> None:
    """Copy all manifests and the bytes they refer to; what is there already is compared, never written over.

    Interrupted, it goes on where it was. Afterwards point settings.store at the new one.
    """
    from sparkle_dagster.artifacts.transfer import copy_store
    from sparkle_dagster.cli.store import bar

    with bar() as progress:
        done = copy_store(_store(from_), _store(to), progress)
    if json_output:
        print_json(done.model_dump(mode="json"))
        return
    console().print(
        f"copied {done.manifest_count} manifests and {done.blob_count} files ({done.size_bytes:,} bytes); "
        f"{done.present_count} manifests were there"
    )


@app.command("diff")
def diff(
    from_: str = _FROM,
    to: str = _TO,
    bytes_: bool = typer.Option(False, "--bytes", help="Also read every stored file of {to}."),
    json_output: bool = JsonOption,
) -> None:
    """What the second store lacks, has otherwise, or has besides. Ends with exit code 1 when they differ."""
    from sparkle_dagster.artifacts.transfer import differences
    from sparkle_dagster.cli.store import bar

    with bar() as progress:
        found = list(differences(_store(from_), _store(to), progress, with_bytes=bytes_))
    if json_output:
        print_json([item.model_dump(mode="json") for item in found])
    else:
        for item in found:
            console().print(f"[yellow]{escape(item.place)}[/]  {escape(item.message)}")
        console().print(f"{len(found)} differences" if found else "[green]equal[/]")
    if found:
        raise typer.Exit(1)


def _store(text: str) -> Any:
    from pathlib import Path

    from sparkle_dagster.registry.stores import open_store
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    settings = workspace.registry.settings.store
    if text == "here":
        return workspace.store
    if match := _BUCKET.fullmatch(text):
        bucket, prefix = match["bucket"], (match["prefix"] or "").strip("/")
        settings = settings.model_copy(update={"kind": "gcs", "bucket": bucket, "prefix": prefix})
    elif ":" in text:
        raise ConfigError(f"expected {_STORE} Got {text!r}")
    else:
        settings = settings.model_copy(update={"kind": "local", "root": str(Path(text).absolute())})
    return open_store(settings, workspace.settings.workspace)
