"""The status service of a project, started and stopped as a person would, and asked over HTTP."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.processes import wait_for
from tests.project import Project


@dataclass
class Service:
    project: Project
    process: "subprocess.Popen[bytes] | None" = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    @property
    def url(self) -> str:
        url: str = json.loads((self.project.home / "service.json").read_text())["url"]
        return url

    def start(self) -> None:
        address = self.project.home / "service.json"
        address.unlink(missing_ok=True)
        with (self.project.root / "serve.log").open("ab") as log:
            command = [sys.executable, "-m", "sparkle_dagster.cli", "serve"]
            self.process = subprocess.Popen(
                command, cwd=self.project.root, env=self.project.environment, stdout=log, stderr=log
            )
        wait_for("the service answers", self._answers, every=0.2)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
            self.process = None

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(f"{self.url}{path}", **options)

    def post(self, path: str, document: Any = None, **options: Any) -> httpx.Response:
        return self.client.post(f"{self.url}{path}", json=document or {}, **options)

    def node(self, production: str, node_id: str) -> dict[str, Any]:
        """One node as /status/{production} has it; empty while the production is not known."""
        answer = self.get(f"/status/{production}")
        if answer.status_code == 404:
            return {}
        found: dict[str, Any] = next(node for node in answer.json()["nodes"] if node["node_id"] == node_id)
        return found

    def state(self, production: str) -> str:
        answer = self.get(f"/status/{production}")
        return str(answer.json()["state"]) if answer.status_code == 200 else ""

    def metric(self, line: str) -> float:
        """Value of the metric written as ``line``; 0 while it is not there."""
        for found in self.get("/metrics").text.splitlines():
            if found.startswith(f"{line} "):
                return float(found.rsplit(" ", 1)[1])
        return 0.0

    def messages(self, path: str, after: int | None = None) -> Iterator[tuple[int | None, str, Any]]:
        """(number, kind, document) of a server-sent stream, until the service ends it."""
        headers = {"Last-Event-ID": str(after)} if after is not None else {}
        number: int | None = None
        kind = ""
        try:
            with self.client.stream("GET", f"{self.url}{path}", headers=headers) as answer:
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        number = int(value)
                    elif name == "event":
                        kind = value
                    elif name == "data":
                        yield number, kind, json.loads(value)
                        number = None
        except httpx.TransportError:
            return  # it was killed

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError((self.project.root / "serve.log").read_text())
        try:
            return self.get("/readyz").status_code == 200
        except (OSError, ValueError, httpx.TransportError):
            return False


@contextmanager
def serving(project: Project) -> Iterator[Service]:
    """The service of a project, while the block runs."""
    service = Service(project)
    try:
        service.start()
        yield service
    finally:
        service.stop()
        service.client.close()


def run_pid(project: Project, run_id: str) -> int:
    """The process that executes a run which a command started."""
    with project.instance() as instance:
        run = instance.get_run_by_id(run_id)
    assert run is not None
    assert int(run.tags["sparkle/pid"]) != os.getpid()
    return int(run.tags["sparkle/pid"])
