"""`sparkle lanes`: where work runs, what runs there now, what waits, which providers stay loaded."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ProviderUnavailable
from sparkle_dagster.cli.output import JsonOption, console, print_json


def lanes(
    restart: Annotated[
        bool, typer.Option("--restart", help="First end the idle actors of Ray lanes, as after an upgrade.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --restart: busy ones too; what they do fails.")] = False,
    json_output: bool = JsonOption,
) -> None:
    """Every lane: its slots, what runs where, what waits; and the providers that stay loaded.

    Examples:  sparkle lanes      sparkle lanes --restart
    """
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    registry = workspace.registry
    remote = registry.remote_lanes
    ended = {name: lane.restart(force=force) for name, lane in remote.items()} if restart else {}
    pool = prepare_home(workspace).event_log_storage.get_concurrency_info("gpu")
    found: list[dict[str, Any]] = []
    for name, settings in registry.settings.lanes:
        lane: dict[str, Any] = {"lane": name, "kind": settings.kind, "slots": settings.slots, "trouble": ""}
        if name == "gpu":
            lane |= {"steps": sorted(pool.active_run_ids), "waiting": len(pool.pending_steps)}
        if name in remote:
            try:
                lane["actors"] = list(remote[name].slots())
            except ProviderUnavailable as error:
                lane["trouble"] = str(error)
        found.append(lane)
    residents = [vars(state) for state in registry.residents.states()]
    if json_output:
        print_json({"lanes": found, "residents": residents, "restarted": ended})
        return
    for name, (gone, busy) in ended.items():
        left = f"; {busy} busy left, end them with --force" if busy else ""
        console().print(f"lane {name}: {gone} actors ended, the next call starts new ones{left}")
    for lane in found:
        console().print(_line(lane))
        if lane.get("actors"):
            console().print(_actors(lane["actors"]))
    for resident in residents:
        console().print(f"stays loaded here: {resident['provider']}, {resident['memory_bytes'] / 2**20:.0f} MiB")


def _line(lane: dict[str, Any]) -> str:
    parts = [f"[bold]{lane['lane']}[/]  {lane['kind']}, {lane['slots']} slots"]
    if "steps" in lane:
        parts.append(f"{len(lane['steps'])} runs hold one, {lane['waiting']} steps wait")
    if lane["trouble"]:
        parts.append(f"[red]{escape(lane['trouble'])}[/]")
    return ", ".join(parts)


def _actors(actors: list[dict[str, Any]]) -> Table:
    table = Table("slot", "host", "GPU", "runs", "stays loaded", "note")
    for actor in actors:
        loaded = ", ".join(state["provider"] for state in actor.get("residents", ()))
        runs = f"{actor['provider']} {actor['production']}" if actor.get("is_busy") else ""
        note = "of earlier code: --restart ends it" if actor["stale"] else actor.get("refusal", "")
        host = actor.get("host", "") or "not started"
        table.add_row(actor["slot"], host, actor.get("device", ""), runs, loaded, escape(note))
    return table
