"""Who is alive: every process that executes a run holds a lock on the run's file until it ends, however it ends.

Files are ``<home>/runs/<host>/<name>.lock``; a host looks at its own only. The kernel lets go of a lock when its last
holder dies, kill -9 and power cuts included, so a file that nobody holds belonged to a process that is gone.
"""

import fcntl
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import dagster as dg

from sparkle_dagster.observability.run_events import told
from sparkle_dagster.workspace import this_workspace

_held: dict[str, int] = {}
"""Descriptors that stay open as long as this process lives."""


def locks_folder(home: Path) -> Path:
    """Where this host's lock files are."""
    return home / "runs" / socket.gethostname()


def hold_run(home: Path, name: str) -> None:
    """Hold the file of a run (or of a launch, before its run exists) until this process ends; shared, so that the
    processes of its steps hold it too."""
    if name in _held:
        return
    folder = locks_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    path, unseen = folder / f"{name}.lock", folder / f".{name}-{os.getpid()}"
    descriptor = _open_shared(unseen)
    try:
        os.link(unseen, path)  # it appears when it is held already: nobody sees it free before its holder is gone
    except FileExistsError:
        os.close(descriptor)
        descriptor = _open_shared(path)
    finally:
        unseen.unlink()
    _held[name] = descriptor


@contextmanager
def nobody_holds(path: Path) -> Generator[bool]:
    """Whether every holder of a lock file is gone; while the block runs, nobody else gets the same answer."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield path.exists()
    finally:
        os.close(descriptor)


def holding(stock: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor; the process that runs it holds the run's file, and tells what becomes of each step."""
    create = stock.executor_creation_fn
    assert create is not None
    return dg.ExecutorDefinition(
        name=stock.name,
        config_schema=cast(Any, stock.config_schema),
        requirements=stock.get_requirements,
        executor_creation_fn=lambda context: _HoldingExecutor(create(context)),
        description=stock.description,
    )


def _open_shared(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


class _HoldingExecutor(dg.Executor):
    """Does what the stock executor does, with the run's file held."""

    def __init__(self, stock: dg.Executor) -> None:
        self._stock = stock

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        hold_run(this_workspace().settings.home, plan_context.run_id)
        yield from told(plan_context, execution_plan, self._stock.execute(plan_context, execution_plan))

    @property
    def retries(self):
        return self._stock.retries

    @property
    def step_dependency_config(self):
        return self._stock.step_dependency_config
