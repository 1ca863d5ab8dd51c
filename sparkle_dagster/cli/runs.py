"""`sparkle run`, `rerun`, `cancel`."""

import os
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from contracts.base import canonical_json, readable
from contracts.errors import ConfigError, SparkleError, UploadRejected
from sparkle_dagster.cli.output import JsonOption, console, fail, print_json, quiet
from sparkle_dagster.cli.plans import (
    DisableOption,
    ForceOption,
    FromOption,
    OnlyOption,
    ProviderOption,
    UntilOption,
    chosen_switches,
    planned,
    switches_config,
)
from sparkle_dagster.cli.shadow import load_second_workflow, run_one

if TYPE_CHECKING:
    from sparkle_dagster.cli.launch import RunReport
    from sparkle_dagster.execution.switches import NodeSwitches

Workspace = Any


def run(
    audio: Annotated[Path, typer.Argument(help="The recorded voice: wav, mp3, m4a, flac, ogg, opus or aiff.")],
    face: Annotated[Path | None, typer.Option(help="A photo or a video; default: the workspace's presenter.")] = None,
    transcript: Annotated[Path | None, typer.Option(help="What is said: txt, srt or vtt.")] = None,
    title: Annotated[str, typer.Option(help="Shown on the first seconds.")] = "",
    language: Annotated[str | None, typer.Option(help="BCP 47 tag such as en; default: the registry's.")] = None,
    profile: Annotated[str | None, typer.Option(help="Delivery profile of the tool registry.")] = None,
    captions: Annotated[str | None, typer.Option(help="confident, all or none.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Free tag; repeat for more.")] = None,
    disable: Annotated[list[str] | None, typer.Option(help="Use the no-op for this node, this time.")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="NODE=NAME: use this provider alone, this time.")] = None,
    shadow_workflow: Annotated[
        Path | None, typer.Option(help="Then run this second workflow on the same upload, beside what was delivered.")
    ] = None,
    json_output: bool = JsonOption,
) -> None:
    """Make a production from a voice and a face.

    Examples:  sparkle run voice.wav      sparkle run voice.wav --face me.jpg --transcript me.txt --title Welcome
    """
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    workspace.registry.load_early()
    started = time.monotonic()
    given = {role: path for role, path in (("audio", audio), ("face", face), ("transcript", transcript)) if path}
    options = _checked_options(
        workspace, {"title": title, "language": language, "profile": profile, "captions": captions, "tags": tag}
    )
    changes = chosen_switches(workspace, disable=disable or (), provider=provider or ())
    second = load_second_workflow(workspace, shadow_workflow) if shadow_workflow else None
    production, report = start_or_find(workspace, given, options, json_output, changes)
    if report is None and not json_output:
        console().print(f"Nothing new: these files are production [bold]{production}[/] already.")
        console().print(f"[dim]next[/]  sparkle show {production}   or   sparkle rerun {production} --from script")
    elif not json_output:
        from sparkle_dagster.cli.productions import deliver

        for line in deliver(workspace, production):
            console().print(line)
        console().print(f"[dim]{time.monotonic() - started:.1f} s[/]")
    say = quiet if json_output else console().print
    shadow = run_one(workspace, production, definition=second, say=say) if second else None
    if json_output:
        answer = _answer(production, report) if report else {"production": production, "started": False}
        print_json(answer | ({"shadow": shadow} if shadow else {}))


def start_or_find(
    workspace: Workspace,
    given: dict[str, Path],
    options: dict[str, Any],
    json_output: bool,
    changes: "Mapping[str, NodeSwitches] | None" = None,
) -> tuple[str, "RunReport | None"]:
    """Run what these files start or change; (production key, how the run ended or None when there was none).

    Args:
        changes: by node id; those of nodes that do not run change nothing.
    """
    from sparkle_dagster.defs.jobs import upload_run_config
    from sparkle_dagster.execution.arrivals import consider
    from sparkle_dagster.execution.inbox import InboxGroup

    files = _take_in(workspace, given, options)
    drop = next(iter(files.values())).parent
    try:
        arrival = consider(workspace, InboxGroup(given["audio"].stem, files), known_keys(workspace))
        if arrival is None:
            return _existing_key(workspace, given), None
        assets = list(arrival.assets) or [*workspace.result_types, "report"]
        run_config = upload_run_config(workspace, arrival.files)
        run_config["ops"] |= switches_config(workspace, changes or {}, assets)["ops"]
        report = execute_and_show(workspace, arrival.production_key, assets, run_config, json_output)
        return arrival.production_key, carried_on(workspace, arrival.production_key, json_output) or report
    finally:
        shutil.rmtree(drop, ignore_errors=True)


def carried_on(workspace: Workspace, production: str, json_output: bool) -> "RunReport | None":
    """The last of the runs that a policy asks for; None when it asks for none."""
    from sparkle_dagster.execution.decisions import is_pending
    from sparkle_dagster.execution.plan import Planner

    report, planner = None, Planner(workspace)
    while is_pending(workspace, production) and (assets := planner.plan(production).assets):
        report = execute_and_show(workspace, production, list(assets), {}, json_output)
    return report


def rerun(
    production: Annotated[str, typer.Argument(help="Production key, as `sparkle status` shows it.")],
    only: OnlyOption = None,
    from_: FromOption = None,
    until: UntilOption = None,
    force: ForceOption = False,
    disable: DisableOption = None,
    provider: ProviderOption = None,
    json_output: bool = JsonOption,
) -> None:
    """Make a part of a production again, exactly as `sparkle plan` with the same switches says it.

    What cannot be met exactly is refused. A result that is stored already is used again, unless --force.

    Examples:  sparkle rerun PRODUCTION --only qa      sparkle rerun PRODUCTION --from lipsync --disable lipsync
    """
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    if (only, from_, until) == (None, None, None):
        raise ConfigError("expected --only, --from or --until NODE, got none; `sparkle refresh` makes what is due")
    found = planned(workspace, production, only, from_, until, force, disable or (), provider or ())
    report = execute_and_show(
        workspace, production, list(found.assets), switches_config(workspace, found.switches, found.assets), json_output
    )
    if json_output:
        print_json(_answer(production, report))
    elif "report" not in found.assets:
        console().print(f"[dim]next[/]  sparkle refresh {production}   brings what follows up to date")


def cancel(
    production: Annotated[str, typer.Argument(help="Production key.")],
    json_output: bool = JsonOption,
) -> None:
    """Stop the runs of a production that are under way; what is committed stays."""
    from sparkle_dagster.workspace import this_workspace

    cancelled = cancel_runs(this_workspace(), production)
    if json_output:
        print_json({"production": production, "cancelled": cancelled})
    else:
        console().print(f"Cancelled {len(cancelled)} run(s) of {production}." if cancelled else "Nothing is under way.")


def cancel_runs(workspace: Workspace, production: str) -> list[str]:
    """Tell the runs of a production that are under way to stop; their ids.

    Raises:
        ConfigError: no such production.
    """
    from sparkle_dagster.cli.launch import HOST_TAG, PID_TAG
    from sparkle_dagster.cli.productions import production_keys
    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.observability.run_states import ACTIVE, runs_of

    instance = prepare_home(workspace)
    require_production(production, production_keys(workspace))
    cancelled: list[str] = []
    for active in (item for item in runs_of(instance, production) if item.status in ACTIVE):
        pid = active.tags.get(PID_TAG)
        if pid and active.tags.get(HOST_TAG) == socket.gethostname():
            if _is_sparkle(int(pid)):
                os.kill(int(pid), signal.SIGTERM)
            else:
                instance.report_run_canceled(active, message="its process is gone")
        else:
            _cancel_elsewhere(instance, active)
        cancelled.append(active.run_id)
    return cancelled


def execute_and_show(
    workspace: Workspace, production: str, assets: list[str], run_config: dict[str, Any], json_output: bool
) -> "RunReport":
    """Run, with a line per node for people; end the command with exit code 1 when it failed."""
    from sparkle_dagster.cli.launch import execute, terminal

    screen = terminal()
    say = quiet if json_output else screen.print
    say(f"[bold]{production}[/]  {', '.join(assets)}")
    report = execute(workspace, production, assets, run_config, say)
    if not report.success:
        _explain_failure(production, report)
    return report


def _answer(production: str, report: "RunReport") -> dict[str, Any]:
    """How a run ended, for programs."""
    nodes = {node_id: node.model_dump(mode="json") for node_id, node in report.unfinished.items()}
    return {"production": production, "run_id": report.run_id, "success": report.success, "unfinished": nodes}


def _explain_failure(production: str, report: "RunReport") -> NoReturn:
    details = _answer(production, report)
    failed = [node for node in report.unfinished.values() if node.error]
    node = failed[0] if failed else next(iter(report.unfinished.values()), None)
    if node is None:
        message = f"the run {report.run_id} did not succeed; its log is {report.log}"
        fail(message, error="RunFailed", hint=f"sparkle status {production}", details=details)
    provider = f" ({node.provider})" if node.provider else ""
    hint = (
        "mend the file and run it again"
        if node.node_id == "upload"
        else f"sparkle rerun {production} --from {node.node_id}"
    )
    status = node.status.value if node.status else "unfinished"
    message = f"{node.node_id}{provider} {status}: {node.error}\n       log {report.log}"
    fail(message, error="RunFailed", hint=hint, details=details)


def _take_in(workspace: Workspace, given: dict[str, Path], options: dict[str, Any]) -> dict[str, Path]:
    """Private copies beside the inbox, so that the run reads what the person gave even if it changes meanwhile."""
    from sparkle_dagster.execution.inbox import PRIVATE_COPIES

    drop = workspace.inbox / PRIVATE_COPIES / uuid.uuid4().hex
    drop.mkdir(parents=True)
    files: dict[str, Path] = {}
    try:
        for role, path in given.items():
            files[role] = drop / _checked(role, path).name
            shutil.copyfile(path, files[role])
        if options:
            files["options"] = drop / "options.yaml"
            files["options"].write_bytes(canonical_json(options))
    except OSError as error:
        shutil.rmtree(drop, ignore_errors=True)
        raise UploadRejected(f"cannot read {error.filename}: {error.strerror}") from error
    except SparkleError:
        shutil.rmtree(drop, ignore_errors=True)
        raise
    return files


def _checked_options(workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
    """Those that were given. Raises: ConfigError: one that no upload can have; nothing has been copied or started."""
    from contracts.upload import UploadOptions
    from sparkle_dagster.execution.upload_options import require_profile

    given = {name: value for name, value in options.items() if value}
    try:
        require_profile(UploadOptions.model_validate(given).profile, workspace.registry.profiles)
    except (ValueError, UploadRejected) as error:
        raise ConfigError(f"--{readable(error)}") from error
    return given


def _checked(role: str, path: Path) -> Path:
    from sparkle_dagster.execution.inbox import ROLE_BY_SUFFIX

    known = [suffix for suffix, its_role in ROLE_BY_SUFFIX.items() if its_role == role]
    if path.suffix.lower() not in known:
        raise UploadRejected(f"{role}: expected a file ending in {' '.join(known)}, got {path.name!r}")
    if not path.is_file():
        raise UploadRejected(f"{role}: expected a file, found none at {path}")
    return path


def known_keys(workspace: Workspace) -> list[str]:
    return [key.removeprefix("upload/") for key in workspace.store.keys("upload/")]


def _existing_key(workspace: Workspace, files: dict[str, Path]) -> str:
    from sparkle_dagster.execution.inbox import digest_of_file, identity_of, known_key

    face: Path = files.get("face") or workspace.presenter
    identity = identity_of(digest_of_file(files["audio"]), digest_of_file(face))
    return known_key(identity, known_keys(workspace)) or identity[:16]


def require_production(production: str, known: list[str]) -> None:
    if production not in known:
        shown = ", ".join(known[-5:]) or "none yet; start one with `sparkle run AUDIO`"
        raise ConfigError(f"expected a production ({shown}), got {production!r}")


def _cancel_elsewhere(instance: Any, run: Any) -> None:
    """A run of the daemon's: in its queue, or in a process of a code server, which may be gone itself."""
    from dagster import DagsterError, DagsterRunStatus

    try:
        is_told = instance.run_coordinator.cancel_run(run.run_id)
    except DagsterError:
        is_told = False
    never_launched = {DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED}
    if not is_told and run.status in never_launched:
        instance.report_run_canceled(run, message="cancelled before it was launched")


def _is_sparkle(pid: int) -> bool:
    try:
        return b"sparkle" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
