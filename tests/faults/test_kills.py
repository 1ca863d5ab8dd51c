"""kill -9 of every kind of process at seeded moments: nothing is lost or doubled, one command finishes the rest."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.campaign import STARTED_AT_MOST_SECONDS, Server, kill_in_command, moments, new_voice
from tests.project import Project, make_project

ROUNDS = range(3)
SEED = 20261


@dataclass(frozen=True)
class Made:
    project: Project
    production: str
    server: Server


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One production, and a server on the same home."""
    project = make_project(tmp_path_factory.mktemp("faults") / "project")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    project.edit("configs/tool_registry.yaml", "port: 3000", f"port: {free}")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", "settle_s: 1")
    answer = project.sparkle("run", new_voice(project, "first", 0), "--profile", "draft")
    with Server(project) as server:
        yield Made(project, answer["production"], server)


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("target", ["run", "provider"])
def test_process_of_a_command_is_killed(made: Made, target: str, number: int) -> None:
    moment = moments(SEED, len(ROUNDS))[number]
    kill_in_command(made.project, made.production, target, moment)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", ROUNDS)
def test_worker_daemon_and_webserver_are_killed(made: Made, number: int) -> None:
    moment, other = moments(SEED + 1, len(ROUNDS))[number], moments(SEED + 2, len(ROUNDS))[number]
    production = made.server.drop(f"worker_{number}", 2 * number + 1)
    done = made.server.kill_worker(production, moment)
    assert done.ended_after_seconds < STARTED_AT_MOST_SECONDS
    production = made.server.drop(f"service_{number}", 2 * number + 2)
    made.server.kill_services(production, other, random.Random(number).uniform(0, 1.5))
