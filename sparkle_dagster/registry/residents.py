"""Resident providers as seen from the platform: finding or starting the one that keeps an instance, listing, ending.

A resident is known by provider (and the file its class comes from), options, weights and environment, on one machine
and home; every process of the home that wants that provider uses it, wherever else that process imports from. Those of
a process that hosts for others are its own, and end with it. Files in
the folder, by its key: ``.sock`` where it listens, ``.lock`` held as long as it lives (in it: how its processes are
marked), ``.json`` what it says of itself, ``.log`` what went wrong with it.
Without its socket's file a resident ends as soon as it has nothing to do.
"""

import contextlib
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.base import digest_of
from contracts.errors import ProviderCrashed
from sparkle_dagster.registry._process_tree import memory_bytes
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from sparkle_dagster.registry.wire import ATTEMPT_VARIABLE, AttemptOrder

_MODULE = "sparkle_dagster.registry._resident"
_MAX_STARTS = 20
_PAUSE_SECONDS = 0.02
_LOG_SHOWN_CHARS = 1000


@dataclass(frozen=True)
class ResidentState:
    """A resident that lives, as it says of itself."""

    provider: str
    """``<capability>/<name>``."""
    process_id: int
    is_busy: bool
    runs: int
    """That it has begun."""
    since: float
    """Seconds since the epoch: when it last became busy or idle."""
    owner: int
    """Id of the process with which it ends; 0: none."""
    memory_bytes: int
    """Of all its processes; pages that they share are counted once."""


@dataclass(frozen=True)
class Resident:
    """One that is to serve, whether it runs or not."""

    folder: Path
    key: str
    environment: Mapping[str, str]
    idle_seconds: float
    owner: int

    def connect(self, stop: threading.Event) -> socket.socket:
        """Start it where it does not run. One that is about to end is waited for.

        Raises:
            ProviderCrashed: it does not start.
            AttemptStopped: ``stop`` was set.
        """
        starts = 0
        while starts <= _MAX_STARTS:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return _connected(self.folder, self.key)
            if not _is_held(self.folder / f"{self.key}.lock"):
                starts += 1
                self._start()
            elif stop.wait(_PAUSE_SECONDS):
                raise AttemptStopped
        raise ProviderCrashed(f"a resident process was started {_MAX_STARTS} times and does not listen: {self._log()}")

    def _start(self) -> None:
        """Returns when it listens, or when another process has started it at the same time."""
        marker = f"{self.folder / self.key}.{secrets.token_hex(4)}"
        with (self.folder / f"{self.key}.log").open("ab") as log:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", _MODULE, str(self.folder), self.key, *self._terms, marker],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**self.environment, "PYTHONUNBUFFERED": "1", ATTEMPT_VARIABLE: marker},
                cwd=self.folder,
                start_new_session=True,
                check=False,
            )
        if done.returncode != 0:
            raise ProviderCrashed(f"a resident process did not start (code {done.returncode}): {self._log()}")

    @property
    def _terms(self) -> tuple[str, str]:
        return repr(self.idle_seconds), str(self.owner)

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / f"{self.key}.log").read_text(errors="replace")[-_LOG_SHOWN_CHARS:].strip()
        return ""


@dataclass(frozen=True)
class Residents:
    """Those of one home on this machine."""

    home: Path
    idle_seconds: float
    owner: int = 0
    """Id of a process with which those that it starts end; 0: they outlive it."""

    @property
    def folder(self) -> Path:
        return self.home / "residents" / socket.gethostname()

    def of(self, order: AttemptOrder, environment: Mapping[str, str]) -> Resident:
        """The one for an order; other options, weights or another file of its class mean another.

        Not the folders to import from: they differ between a command, a run's worker and a notebook of one home.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = {
            "provider": order.provider.model_dump(mode="json"),
            "weights": {name: [str(model.path), _stamp(model.path)] for name, model in order.models.items()},
            "file": _file_of(order.provider.target),
            "environment": {name: value for name, value in environment.items() if name != "PYTHONPATH"},
            "python": sys.executable,
            "idle_seconds": self.idle_seconds,
            "owner": self.owner,
        }
        return Resident(self.folder, digest_of(facts)[:16], environment, self.idle_seconds, self.owner)

    def states(self) -> list[ResidentState]:
        """Those that live."""
        found = [
            ResidentState(**said, memory_bytes=memory_bytes(int(said["process_id"]))) for said in self._living() if said
        ]
        return sorted(found, key=lambda state: (state.provider, state.process_id))

    def end(self, limit_seconds: float) -> list[ResidentState]:
        """Ask all to end, which idle ones do at once; those that are busy and will end after it.

        Args:
            limit_seconds: how long to wait for an idle one.
        """
        deadline = time.monotonic() + limit_seconds
        for path in self.folder.glob("*.sock"):
            path.unlink(missing_ok=True)
        while any(not said.get("is_busy") for said in self._living()) and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        return self.states()

    def _living(self) -> Iterator[dict[str, Any]]:
        """What those say whose process holds its lock; empty for one that starts or ends."""
        for path in self.folder.glob("*.lock"):
            if _is_held(path):
                try:
                    yield json.loads(path.with_suffix(".json").read_text())
                except (OSError, ValueError):
                    yield {}


def _is_held(path: Path) -> bool:
    """Whether the process that took a lock file lives."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _connected(folder: Path, key: str) -> socket.socket:
    """Raises: FileNotFoundError, ConnectionRefusedError: nobody listens."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX)
    try:
        # A socket's name holds at most 107 bytes, a home's path may be longer.
        connection.connect(f"/proc/self/fd/{descriptor}/{key}.sock")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    return connection


def _file_of(target: str) -> str | None:
    """Of the module in ``module:Class``, which its reader has imported."""
    return getattr(sys.modules.get(target.partition(":")[0]), "__file__", None)


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with a file's bytes, without reading them."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    return None
