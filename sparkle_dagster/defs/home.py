"""Dagster's home: created and migrated once, under a lock, before anything else opens it."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from contracts.errors import ConfigError
from sparkle_dagster.defs.executors import GPU_POOL
from sparkle_dagster.defs.reaper import reap
from sparkle_dagster.settings import Settings
from sparkle_dagster.workspace import Workspace

_instances: dict[Path, dg.DagsterInstance] = {}


def prepare_home(workspace: Workspace) -> dg.DagsterInstance:
    """The instance of this installation, ready for use; safe when many processes start at once on an empty home.

    It is opened once per process, and lost runs are reaped then.
    """
    home = workspace.settings.dagster_home
    if home not in _instances:
        _instances[home] = _open(workspace)
    return _instances[home]


def _open(workspace: Workspace) -> dg.DagsterInstance:
    settings = workspace.settings
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home / ".prepare.lock"):
        _install_config(settings)
        settings.export_dagster_home()
        instance = dg.DagsterInstance.get()
        instance.get_run_records(limit=1)
        instance.schedule_storage  # noqa: B018 - opening it creates and migrates its tables
        instance.event_log_storage.set_concurrency_slots(GPU_POOL, workspace.registry.settings.lanes.gpu.slots)
    workspace.inbox.mkdir(parents=True, exist_ok=True)
    reap(instance, settings.home)
    return instance


@contextmanager
def only_daemon(settings: Settings) -> Generator[None]:
    """Held by whoever runs the daemon: two on one home would start every upload twice.

    Raises:
        ConfigError: another process holds it.
    """
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    path = settings.dagster_home / ".daemon.lock"
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise ConfigError(
                f"expected no other daemon on this home, found one (process {stream.read().strip() or 'unknown'}); "
                "stop it, or set SPARKLE_HOME to another folder"
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _install_config(settings: Settings) -> None:
    """The project's dagster.yaml is the truth; the home holds a copy that knows where the home is."""
    source, target = settings.project / "configs/dagster.yaml", settings.dagster_home / "dagster.yaml"
    home_in_quotes = json.dumps(str(settings.dagster_home))[1:-1]
    text = source.read_text(encoding="utf-8").replace("${DAGSTER_HOME}", home_in_quotes)
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        temporary = target.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)


@contextmanager
def _lock(path: Path) -> Generator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
