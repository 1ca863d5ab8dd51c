"""`sparkle workspace add`, `list`: tenants of this installation."""

import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

import typer

from sparkle_dagster.cli.output import JsonOption, console, fail, print_json

app = typer.Typer(name="workspace", help="Tenants: each with its own store, inbox, quota and code location.")

_OVERLAY = """\
# The workspace {name}, laid over configs/tool_registry.yaml. docs/operations.md says what may stand here.
settings:
  store: {store}
  uploads: {uploads}
  quota: {quota}
{allowed}"""


_PROVIDERS = typer.Option([], "--provider", help="Allow only these, as lipsync/mouth_warp; may be repeated.")
_LICENCES = typer.Option([], "--licence", help="Allow only weights of these licences; may be repeated.")


@app.command("add")
def add(
    name: str = typer.Argument(metavar="{name}", help="Lower case letters, digits, _ and -."),
    max_bytes: str = typer.Option("", "--max-bytes", help="Quota of stored bytes, such as 100GiB."),
    in_flight: int = typer.Option(0, "--in-flight", help="Quota of productions at once; 0: no limit."),
    providers: list[str] = _PROVIDERS,
    licences: list[str] = _LICENCES,
    json_output: bool = JsonOption,
) -> None:
    """Make an overlay, a store, an inbox, a code location in workspace.yaml, and a token for the status service.

    The token is shown once and stored nowhere.
    """
    from sparkle_dagster.artifacts.keys import checked_workspace
    from sparkle_dagster.workspace import load_workspace

    workspace = load_workspace()
    checked_workspace(name)
    overlay = workspace.settings.project / "configs/workspaces" / f"{name}.yaml"
    if name == "main" or overlay.exists():
        fail(f"expected a new name, got {name!r}, which there is already", hint="sparkle workspace list")
    rules = {"allowed_providers": providers, "allowed_licences": licences}
    allowed = "".join(f"  {key}: [{', '.join(names)}]\n" for key, names in rules.items() if names)
    quota = {"max_bytes": max_bytes} if max_bytes else {}
    overlay.parent.mkdir(parents=True, exist_ok=True)
    overlay.write_text(
        _OVERLAY.format(
            name=name,
            **_places(workspace.registry.settings, name),
            quota=_flow({**quota, **({"productions_in_flight": in_flight} if in_flight else {})}),
            allowed=allowed,
        ),
        encoding="utf-8",
    )
    try:
        inbox = _check(workspace, name)
    except Exception:
        overlay.unlink()
        raise
    interpreter = _interpreter(workspace, name)
    _add_location(workspace.settings.project / "workspace.yaml", name, interpreter)
    token, variable = secrets.token_urlsafe(32), f"{name.upper().replace('-', '_')}_SPARKLE_TOKEN"
    made = {"workspace": name, "overlay": str(overlay), "inbox": str(inbox), "token": token, "variable": variable}
    if json_output:
        print_json(made)
        return
    screen = console()
    screen.print(f"overlay    {overlay}\ninbox      {inbox}\nlocation   {name}, in workspace.yaml")
    screen.print(f"token      {token}   shown once; callers of the status service need it")
    screen.print(f"[dim]next[/]  put the token into {variable}, and into the overlay, where it has a status service:")
    screen.print(f"      services: {{status: {{token: {{secret: env:{variable}}}}}}}", markup=False)
    screen.print(f"[dim]next[/]  SPARKLE_WORKSPACE={name} sparkle run AUDIO, or drop files into the inbox")


@app.command("list")
def list_(json_output: bool = JsonOption) -> None:
    """The workspaces of this installation."""
    from sparkle_dagster.settings import load_settings

    folder = load_settings().project / "configs/workspaces"
    names = ["main", *sorted(path.stem for path in folder.glob("*.yaml") if path.stem != "main")]
    if json_output:
        print_json(names)
    else:
        console().print("\n".join(names))


def _places(settings: Any, name: str) -> dict[str, str]:
    """Where its bytes and its uploads are: folders of its own, and prefixes of its own in a bucket."""
    home = f'"${{SPARKLE_HOME}}/workspaces/{name}/'
    store, uploads = {"root": home + 'store"'}, {"inbox": home + 'uploads"'}
    if settings.store.kind == "gcs":
        store["prefix"] = "/".join(part for part in (settings.store.prefix.strip("/"), name) if part)
    if settings.uploads.kind == "gcs":
        uploads["prefix"] = "/".join(part for part in (settings.uploads.prefix.strip("/"), name) if part)
    return {"store": _flow(store), "uploads": _flow(uploads)}


def _flow(values: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def _check(workspace: Any, name: str) -> Path:
    """Its inbox, made. Raises: ConfigError: what was written does not hold together."""
    from dataclasses import replace

    from sparkle_dagster.registry.provider_registry import ProviderRegistry

    settings = replace(workspace.settings, workspace=name)
    registry = ProviderRegistry.from_config(settings.project / "configs/tool_registry.yaml", settings=settings)
    inbox = settings.resolve(registry.settings.uploads.inbox)
    inbox.mkdir(parents=True, exist_ok=True)
    return inbox


def _interpreter(workspace: Any, name: str) -> Path:
    """A Python for its code location: the same, with the workspace selected."""
    path = workspace.settings.home / "workspaces" / name / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nSPARKLE_WORKSPACE={name} exec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def _add_location(file: Path, name: str, interpreter: Path) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    document: Any = yaml.load(file.read_text(encoding="utf-8"))
    document["load_from"].append(
        {
            "python_module": {
                "module_name": "sparkle_dagster.definitions",
                "location_name": name,
                "executable_path": str(interpreter),
            }
        }
    )
    temporary = file.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)
    temporary.replace(file)
