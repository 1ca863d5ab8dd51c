"""The services of docker/compose.yaml without an engine: the same commands, folders and variables, as processes.

Names of services become this machine's loopback, published numbers become free ones, and `/state` a fresh folder.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.architecture.project_files import tracked_files
from tests.docker.recipes import (
    IMAGES,
    PROJECT,
    copies_from_context,
    environment_of,
    last_stage,
    read_compose,
    read_dockerfile,
)
from tests.system_packages import program

PASSWORD = "a word/with @ signs"
LOOPBACK = "127.0.0.1"


@dataclass
class Stack:
    """``root/sparkle`` is the image's working directory, ``root/state`` and ``root/weights`` its volumes."""

    root: Path
    ports: dict[str, str] = field(default_factory=lambda: {port: str(free_port()) for port in published_in_recipes()})
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])

    @property
    def database_port(self) -> str:
        return self.environment("code")["DAGSTER_POSTGRES_PORT"]

    @property
    def services(self) -> dict[str, Any]:
        return recipe_services()

    def lay_out(self) -> None:
        """What the image would hold, and what compose mounts over it."""
        work = self.root / "sparkle"
        for source, target in copies_from_context(read_dockerfile(IMAGES[0])):
            for name in tracked_files():
                if name == source or name.startswith(f"{source}/"):
                    place = work / (target + name.removeprefix(source))
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(PROJECT / name, place)
        for mount in self.services["code"]["volumes"]:
            source, target = mount.split(":")[:2]
            if target.startswith("/sparkle/") and (PROJECT / "docker" / source).is_file():
                shutil.copyfile(PROJECT / "docker" / source, self.root / target.lstrip("/"))
        workspace = work / "docker/workspace.yaml"
        workspace.write_text(self.local(workspace.read_text().replace("host: code", f"host: {LOOPBACK}")))
        for path in (work, *work.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)  # the code is not its user's
        for volume in ("state", "weights"):
            (self.root / volume).mkdir(exist_ok=True)

    def environment(self, service: str) -> dict[str, str]:
        """The image's variables, then compose's; of this process only the search path."""
        image = environment_of(last_stage(read_dockerfile(IMAGES[0])))
        values = {**image, **self.services[service]["environment"]}
        found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": found, "HOME": str(self.root / "state")} | {
            name: self.local(LOOPBACK if value == "postgres" else value) for name, value in values.items()
        }

    def local(self, text: str) -> str:
        """``text`` of a recipe as it reads on this machine."""
        for name in ("state", "weights"):
            text = re.sub(rf"^/{name}(?=/|$)", str(self.root / name), text)
        return re.sub(rf"\b({'|'.join(self.ports)})\b", lambda match: self.ports[match[0]], text)

    def command(self, words: list[str]) -> list[str]:
        names = {"code": LOOPBACK, "webserver": LOOPBACK}
        return [names.get(word, self.local(word)).replace('"webserver"', f'"{LOOPBACK}"') for word in words]

    def run(self, service: str, words: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """A service's command, or another one in its place, to its end."""
        return subprocess.run(
            self.command(words or self.services[service]["command"]),
            cwd=self.root / "sparkle",
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def start(self, service: str) -> None:
        """Start a service and wait until its own health check passes."""
        with (self.root / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                self.command(self.services[service]["command"]),
                cwd=self.root / "sparkle",
                env=self.environment(service),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_as_in_a_container,
            )
        wait_for(lambda: self.is_healthy(service), f"{service} to be healthy")

    def is_healthy(self, service: str) -> bool:
        assert self.processes[service].poll() is None, f"{service} ended: {self.log(service)[-3000:]}"
        return self.run(service, self.services[service]["healthcheck"]["test"][1:]).returncode == 0

    def log(self, service: str) -> str:
        return (self.root / f"{service}.log").read_text(errors="replace")

    def stop(self) -> dict[str, int]:
        """As `docker stop` does, the last one first; exit codes, -9 for one that had to be killed."""
        codes: dict[str, int] = {}
        for service, process in reversed(self.processes.items()):
            process.send_signal(signal.SIGTERM)
            try:
                codes[service] = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                codes[service] = -9
            _kill_session(process.pid)
        return codes


@contextmanager
def running_stack(root: Path) -> Iterator[Stack]:
    """The folders laid out and Postgres running; whatever was started is stopped in the end."""
    stack = Stack(root)
    stack.lay_out()
    with _postgres(root / "pgdata", stack.database_port):
        try:
            yield stack
        finally:
            stack.stop()


def recipe_services() -> dict[str, Any]:
    found: dict[str, Any] = read_compose({"SPARKLE_POSTGRES_PASSWORD": PASSWORD, "SPARKLE_STATUS_TOKEN": PASSWORD})[
        "services"
    ]
    return found


def published_in_recipes() -> list[str]:
    """The numbers on which the services listen."""
    services = recipe_services()
    commands = [services[name]["command"] for name in ("webserver", "code")]
    listening = [str(command[command.index("-p") + 1]) for command in commands]
    return [*listening, services["code"]["environment"]["DAGSTER_POSTGRES_PORT"]]


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def wait_for(is_true: Callable[[], bool], what: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(1)


@contextmanager
def _postgres(data: Path, port: str) -> Iterator[None]:
    """A fresh database on loopback with a password; it refuses to run as root, so root hands it to `nobody`."""
    programs = program("postgres").parent
    is_root = os.geteuid() == 0
    user = {"user": "nobody"} if is_root else {}
    data.mkdir(mode=0o700)
    secret = data.with_name("password")
    secret.write_text(PASSWORD)
    if is_root:
        for place in (data, secret):
            shutil.chown(place, "nobody")
        for folder in data.parents:
            if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
    init = [programs / "initdb", "-D", data, "-U", "sparkle", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8"]
    subprocess.run(init, check=True, capture_output=True, cwd=data, **user)
    options = ["-D", data, "-p", port, "-h", LOOPBACK, "-k", data, "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", *options], cwd=data, stderr=subprocess.DEVNULL, **user)
    try:
        ready = [programs / "pg_isready", "-h", LOOPBACK, "-p", port]
        wait_for(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, "Postgres")
        make = [programs / "createdb", "-h", LOOPBACK, "-p", port, "-U", "sparkle", "sparkle"]
        subprocess.run(make, check=True, env={"PGPASSWORD": PASSWORD}, cwd=data)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def _as_in_a_container() -> None:
    """Dagster ends on SIGTERM as on SIGINT, which a shell lets its background jobs ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _kill_session(leader: int) -> None:
    """What a container's end would take with it."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
