"""A Ray cluster for system tests: a head without GPU, and machines with one, which is a number and no device.

A GPU machine has a network and a host name of its own (Linux namespaces) where the system allows; else it is one more
node beside the head. Only files are shared, as on machines that mount the same folder.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from tests.conftest import PROJECT
from tests.faults.processes import below, kill

TOKEN = "0123456789abcdef" * 3
TOKEN_NAME = "LANE_TEST_TOKEN"
PORTS = (
    "node-manager-port",
    "object-manager-port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)
START_TRIES = 4
START_SECONDS = 90


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


@dataclass(frozen=True)
class Machine:
    """One node of the cluster: `ray start --block`, which ends all that it started."""

    process: subprocess.Popen[bytes]

    @property
    def node_process(self) -> int:
        """The raylet, without which nothing of Ray runs on the machine."""
        (pid,) = below(self.process.pid, "raylet/raylet")[:1]
        return pid

    def kill(self) -> None:
        """kill -9 of its node process, and of its watcher, which would wait a minute for it."""
        assert kill(self.node_process)
        assert kill(self.process.pid)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Cluster:
    address: str
    client_address: str
    """For those that are no node of it themselves."""
    folder: Path

    @contextmanager
    def gpu_machine(self, number: int) -> Generator[Machine]:
        """A machine with one GPU; ``number`` is its own among those that live."""
        own_host = f"sparkle-{os.getpid()}-{number}"
        with ExitStack() as stack:
            command = [*_start(), f"--address={self.address}", "--num-gpus=1"]
            if can_separate():
                enter, address = stack.enter_context(_namespace(own_host, number))
                hide = f'hostname {own_host} && mount -t tmpfs none "{self.folder}" && exec "$@"'
                enter += ["unshare", "-m", "-u", "sh", "-c", hide, "sh"]
                command = [*enter, *command, f"--node-ip-address={address}"]
            machine = _started(command)
            stack.callback(machine.end)
            yield machine


@contextmanager
def cluster(folder: Path) -> Generator[Cluster]:
    """Its head, which is this machine.

    Args:
        folder: a short path: the names of Ray's sockets below it may not be long.
    """
    port, client_port = free_ports(2)
    own = _run("hostname", "-I").split()[0]  # not by its name, which may mean loopback
    command = [*_start(), "--head", f"--port={port}", f"--ray-client-server-port={client_port}", f"--temp-dir={folder}"]
    head = _started([*command, "--include-dashboard=false", "--disable-usage-stats", "--num-gpus=0"])
    try:
        yield Cluster(f"{own}:{port}", f"ray://{own}:{client_port}", folder)
    finally:
        import ray  # not before: it reads the token when it is imported

        ray.shutdown()
        head.end()


class Machines:
    """Two with one GPU each, which may be lost and started again."""

    def __init__(self, ray_cluster: Cluster) -> None:
        self.cluster = ray_cluster
        self._stacks = [ExitStack(), ExitStack()]
        self._all: list[Machine | None] = [None, None]

    def start(self) -> None:
        """Those that do not run."""
        self.switch_off_the_lost()
        for number, machine in enumerate(self._all):
            if machine is None:
                self._all[number] = self._stacks[number].enter_context(self.cluster.gpu_machine(number))

    def lose(self, process_id: int) -> None:
        """kill -9 of the node process of the machine that runs a process."""
        running = [(n, machine) for n, machine in enumerate(self._all) if machine]
        number, machine = next(item for item in running if process_id in below(item[1].process.pid, ""))
        machine.kill()
        self._all[number] = None

    def switch_off_the_lost(self) -> None:
        """All that still runs on them ends."""
        for machine, stack in zip(self._all, self._stacks, strict=True):
            if machine is None:
                stack.close()

    def close(self) -> None:
        for stack in self._stacks:
            stack.close()


@contextmanager
def two_gpu_machines() -> Generator[Machines]:
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder, cluster(Path(folder)) as found:
        machines = Machines(found)
        try:
            yield machines
        finally:
            machines.close()


@cache
def can_separate() -> bool:
    """Whether this user may make network, mount and host-name namespaces."""
    if not (shutil.which("ip") and shutil.which("unshare")):
        return False
    name = f"probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made and subprocess.run(["unshare", "-m", "-u", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def _namespace(name: str, number: int) -> Generator[tuple[list[str], str]]:
    """A network of two: this machine and the one inside; gives the command that enters it, and the address inside."""
    third = (os.getpid() * 4 + number) % 65536
    net = f"10.{third // 256}.{third % 256}"
    here, inside = f"sp{third}a", f"sp{third}b"
    enter = ["ip", "netns", "exec", name]
    with ExitStack() as stack:
        _run("ip", "netns", "add", name)
        stack.callback(_run, "ip", "netns", "del", name)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", inside, "netns", name)
        stack.callback(_run, "ip", "link", "del", here)
        stack.callback(_switch_off, name)
        _run("ip", "address", "add", f"{net}.1/24", "dev", here)
        _run("ip", "link", "set", here, "up")
        for command in (
            f"ip address add {net}.2/24 dev {inside}",
            f"ip link set {inside} up",
            "ip link set lo up",
            f"ip route add default via {net}.1",
        ):
            _run(*enter, *command.split())
        yield enter, f"{net}.2"


def _switch_off(name: str) -> None:
    for pid in map(int, _run("ip", "netns", "pids", name).split()):
        kill(pid)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _drained(stream: IO[bytes]) -> None:
    with stream:
        stream.read()


def _start() -> list[str]:
    ports = [f"--{name}={number}" for name, number in zip(PORTS, free_ports(len(PORTS)), strict=True)]
    ray = str(Path(sys.executable).parent / "ray")
    return [ray, "start", "--block", "--num-cpus=1", "--min-worker-port=0", "--max-worker-port=0", *ports]


def _started(command: list[str]) -> Machine:
    """Tried again where the machine is too loaded to have it up within Ray's own half minute.

    Raises:
        AssertionError: with what Ray said.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKLE_", "DAGSTER_"))}
    environment = {**kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "PYTHONPATH": str(PROJECT)}
    said = b""
    for _ in range(START_TRIES):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        limit = threading.Timer(START_SECONDS, process.kill)
        limit.start()
        for line in process.stdout:
            said += line
            if b"Ray runtime started" in line:
                limit.cancel()
                threading.Thread(target=_drained, args=[process.stdout], daemon=True).start()
                return Machine(process)
        process.wait()
        process.stdout.close()
        limit.cancel()
    raise AssertionError(f"Ray did not start: {said.decode(errors='replace')}")
