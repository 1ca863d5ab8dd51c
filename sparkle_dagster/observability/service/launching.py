"""Starting runs for callers: the command line's own commands, each in a process that outlives the service."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from sparkle_dagster.cli.launch import HOST_TAG, PID_TAG
from sparkle_dagster.defs.jobs import PRODUCTION_TAG

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 300.0
"""Until a command's run is there, or the command has said why there is none; a loaded machine takes its time."""


@dataclass(frozen=True)
class Started:
    """What a command came to."""

    status: int
    """As HTTP says it."""
    document: dict[str, Any]

    @property
    def is_settled(self) -> bool:
        """The command needs the caller's files no more: its run has its own copies, or there is none."""
        return self.status == 200 or bool(self.document.get("run_id"))


class Launcher:
    """At most ``slots`` runs of this service's at once: more wait with whoever asks."""

    def __init__(self, instance: dg.DagsterInstance, project: Path, logs: Path, slots: int) -> None:
        self._instance = instance
        self._project = project
        self._logs = logs
        self._slots = slots
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], production: str = "") -> Started:
        """Run ``sparkle <arguments> --json``; returns when its run is there, or it ended without one."""
        self._logs.mkdir(parents=True, exist_ok=True)
        output = self._logs / f"service-{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 10**6:06d}.json"
        command = [sys.executable, "-m", "sparkle_dagster.cli", *arguments, "--json"]
        with self._lock:
            self._children = [child for child in self._children if child.poll() is None]
            if len(self._children) >= self._slots:
                return Started(429, {"error": f"expected a free slot, {self._slots} runs are under way; try again"})
            with output.open("wb") as stream:
                child = subprocess.Popen(  # noqa: S603 - our own command line; values are single arguments
                    command, cwd=self._project, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            self._children.append(child)
        return self._seen(child, output, production)

    def _seen(self, child: "subprocess.Popen[bytes]", output: Path, production: str) -> Started:
        tags = {PID_TAG: str(child.pid), HOST_TAG: socket.gethostname()}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            has_ended = child.poll() is not None
            runs = self._instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
            if runs:
                found = runs[0].tags.get(PRODUCTION_TAG, production)
                return Started(202, {"production": found, "run_id": runs[0].run_id, "started": True})
            if has_ended:
                return _ended(output.read_text(encoding="utf-8", errors="replace"), child.returncode)
            time.sleep(POLL_SECONDS)
        return Started(202, {"production": production, "run_id": "", "started": True})


def _ended(text: str, code: int) -> Started:
    """A command that ended without a run: nothing to do, or why it could not."""
    document = _first_document(text)
    if code == 0:
        return Started(200, {**document, "run_id": document.get("run_id", "")})
    message = str(document.get("message") or text.strip()[-500:] or f"the command ended with code {code}")
    return Started(422, {"error": message, "kind": str(document.get("error", "Failed"))})


def _first_document(text: str) -> dict[str, Any]:
    """The command's answer; its errors for people may stand before or behind it."""
    try:
        document = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
