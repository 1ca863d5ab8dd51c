"""Start a run in this process, in the same instance that the UI shows, and show how it goes."""

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import dagster as dg
from rich.console import Console
from rich.markup import escape

from contracts.events import NodeSummary
from sparkle_dagster.defs.assets import asset_key
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.defs.jobs import production_tags
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.defs.reaper import LAUNCH_TAG
from sparkle_dagster.defs.run_lock import hold_run
from sparkle_dagster.observability.progress import read_progress
from sparkle_dagster.observability.run_states import unfinished_nodes
from sparkle_dagster.workspace import Workspace

PID_TAG, HOST_TAG = "sparkle/pid", "sparkle/host"
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    run_id: str
    success: bool
    log: Path
    unfinished: Mapping[str, NodeSummary]


def execute(
    workspace: Workspace,
    production: str,
    assets: Sequence[str],
    run_config: Mapping[str, Any],
    on_line: Callable[[str], None],
) -> RunReport:
    """Run ``assets`` of a production and wait for it.

    Args:
        on_line: called with a short text whenever something worth telling happened.
    """
    from sparkle_dagster.defs.run_target import production_job

    instance = prepare_home(workspace)
    instance.add_dynamic_partitions(str(PRODUCTIONS.name), [production])
    launch = uuid.uuid4().hex
    hold_run(workspace.settings.home, launch)
    log = workspace.settings.home / "logs" / f"{production}-{time.strftime('%Y%m%d-%H%M%S')}-{launch[:6]}.log"
    tags = {
        "dagster/partition": production,
        **production_tags(workspace, production),
        LAUNCH_TAG: launch,
        PID_TAG: str(os.getpid()),
        HOST_TAG: socket.gethostname(),
    }
    with output_to(log), _watched(instance, workspace, production, launch, on_line):
        result = dg.execute_job(
            dg.reconstructable(production_job),
            instance,
            run_config={**run_config, "loggers": {"console": {"config": {"log_level": "INFO"}}}},
            tags=tags,
            asset_selection=[asset_key(workspace, name) for name in assets],
        )
        run_id, success = result.run_id, result.success
    unfinished = {} if success else unfinished_nodes(instance, workspace, production)
    return RunReport(run_id, success, log, unfinished)


@contextmanager
def output_to(log: Path) -> Generator[None]:
    """Send everything this process and its children print to a file; the terminal stays for the command's own words."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (*saved, target):
            os.close(descriptor)


def terminal() -> Console:
    """A console on a copy of today's standard output, so that it survives ``output_to``."""
    stream: TextIO = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    return Console(file=stream, highlight=False, soft_wrap=True)


@contextmanager
def _watched(
    instance: dg.DagsterInstance,
    workspace: Workspace,
    production: str,
    launch: str,
    on_line: Callable[[str], None],
) -> Generator[None]:
    """Tell of every step that starts or ends, and how far a long one is."""
    stop = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(instance, workspace, production, launch, on_line, stop), daemon=True, name="progress"
    )
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(timeout=5)


def _watch(
    instance: dg.DagsterInstance,
    workspace: Workspace,
    production: str,
    launch: str,
    on_line: Callable[[str], None],
    stop: threading.Event,
) -> None:
    told: set[tuple[str, str]] = set()
    quarters: dict[str, int] = {}
    last_look = False
    while not last_look:
        last_look = stop.wait(POLL_SECONDS)
        runs = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: launch}), limit=1)
        run_id = runs[0].run_id if runs else ""
        for item in instance.get_run_step_stats(run_id) if run_id else ():
            state = item.status.value if item.status else "STARTED"
            if (item.step_key, state) not in told and state != "IN_PROGRESS":
                told.add((item.step_key, state))
                took = (item.end_time or 0) - (item.start_time or 0)
                on_line(_line(workspace, production, item.step_key, state, took))
        for node_id, progress in read_progress(workspace.settings.home, production).items():
            quarter = int(4 * progress["done"] / progress["total"]) if progress["total"] else 0
            if progress["run_id"] == run_id and 0 < quarter < 4 and quarter > quarters.get(node_id, 0):
                quarters[node_id] = quarter
                on_line(f"  [dim]{node_id:<16} {25 * quarter} %  {escape(str(progress['note']))}[/]")


def _line(workspace: Workspace, production: str, step_key: str, state: str, seconds: float) -> str:
    asset = step_key.rsplit("__", 1)[-1]
    if state != "SUCCESS":
        return f"  [red]{asset:<16} {state.lower()}[/]"
    record = workspace.read_record(asset, production)
    return f"  [green]{asset:<16}[/] {record.provider:<14} {record.fidelity.value:<11} {seconds:5.1f} s"
