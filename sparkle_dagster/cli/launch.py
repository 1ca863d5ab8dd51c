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
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import dagster as dg
from rich.console import Console
from rich.markup import escape

from contracts.events import NodeEvent, NodeStatus, NodeSummary
from sparkle_dagster.defs.assets import asset_key
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.defs.jobs import production_tags
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.defs.reaper import LAUNCH_TAG
from sparkle_dagster.defs.run_lock import hold_run
from sparkle_dagster.observability.emitting import spool_of
from sparkle_dagster.observability.progress import read_progress
from sparkle_dagster.observability.run_events import node_by_step
from sparkle_dagster.observability.run_states import unfinished_nodes
from sparkle_dagster.observability.spool import EventSpool
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
    """Tell of every node that ends or is tried again, and how far a long one is."""
    watch, stop = _Watch(instance, workspace, production, launch, on_line), threading.Event()
    watcher = threading.Thread(target=watch.until, args=(stop,), daemon=True, name="progress")
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(timeout=5)


class _Watch:
    """Looks at the spool of events and the progress files, which cost next to nothing, and not at Dagster's log."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        workspace: Workspace,
        production: str,
        launch: str,
        on_line: Callable[[str], None],
    ) -> None:
        self._instance = instance
        self._workspace = workspace
        self._production = production
        self._launch = launch
        self._on_line = on_line
        self._spool = EventSpool(spool_of(workspace).folder)
        self._position = self._spool.last
        self._assets = {node_id: step.rsplit("__", 1)[-1] for step, node_id in node_by_step(workspace).items()}
        self._began: dict[str, str] = {}
        self._quarters: dict[str, int] = {}

    def until(self, stop: threading.Event) -> None:
        run_id, is_last_look = "", False
        while not is_last_look:
            is_last_look = stop.wait(POLL_SECONDS)
            run_id = run_id or self._run_id()
            if run_id:
                self._tell_events(run_id)
                self._tell_progress(run_id)

    def _run_id(self) -> str:
        runs = self._instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: self._launch}), limit=1)
        return runs[0].run_id if runs else ""

    def _tell_events(self, run_id: str) -> None:
        for item in self._spool.read(self._position):
            self._position, event = item.number, item.event
            if event.run_id != run_id or event.node_id not in self._assets:
                continue
            if event.status is NodeStatus.RUNNING:
                self._began[event.node_id] = event.at
            elif event.status is not NodeStatus.QUEUED:
                took = _seconds_between(self._began.get(event.node_id, event.at), event.at)
                self._on_line(_line(self._assets[event.node_id], event, took))

    def _tell_progress(self, run_id: str) -> None:
        for node_id, progress in read_progress(self._workspace.settings.home, self._production).items():
            quarter = int(4 * progress["done"] / progress["total"]) if progress["total"] else 0
            if progress["run_id"] == run_id and 0 < quarter < 4 and quarter > self._quarters.get(node_id, 0):
                self._quarters[node_id] = quarter
                self._on_line(f"  [dim]{node_id:<16} {25 * quarter} %  {escape(str(progress['note']))}[/]")


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _line(asset: str, event: NodeEvent, seconds: float) -> str:
    if event.status is NodeStatus.RETRYING:
        tried = event.attempts[-1] if event.attempts else None
        what = f"{tried.provider}: {tried.error}" if tried else event.message
        return f"  [yellow]{asset:<16}[/] tried again after {escape(what)}"
    if event.fidelity is None:
        return f"  [red]{asset:<16} {event.status.value}[/]"
    cached = "  stored already" if event.status is NodeStatus.CACHED else ""
    return f"  [green]{asset:<16}[/] {event.provider:<14} {event.fidelity.value:<11} {seconds:5.1f} s{cached}"
