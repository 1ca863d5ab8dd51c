"""kill -9 of every kind of process at seeded moments: nothing is lost or doubled, one command finishes the rest."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.campaign import (
    IN_COMMANDS,
    STARTED_AT_MOST_SECONDS,
    Server,
    kill_in_command,
    make_served_project,
    moments,
    new_voice,
)
from tests.project import Project

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
ROUNDS = range(3)
SEED = 20261


@dataclass(frozen=True)
class Made:
    project: Project
    production: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One production; no daemon yet."""
    project = make_served_project(tmp_path_factory.mktemp("faults") / "project")
    answer = project.sparkle("run", new_voice(project, "first", 0), "--profile", "draft")
    return Made(project, answer["production"])


@pytest.fixture(scope="module")
def server(made: Made) -> Iterator[Server]:
    with Server(made.project) as running:
        yield running


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("target", IN_COMMANDS)
def test_process_of_a_command_is_killed(made: Made, target: str, number: int) -> None:
    moment = moments(SEED, len(ROUNDS))[number]
    assert kill_in_command(made.project, made.production, target, moment).target == target


@pytest.mark.parametrize("number", ROUNDS)
def test_worker_daemon_and_webserver_are_killed(server: Server, number: int) -> None:
    moment, other = moments(SEED + 1, len(ROUNDS))[number], moments(SEED + 2, len(ROUNDS))[number]
    done = server.round(moment, other, random.Random(number).uniform(0, 0.2))
    assert [kill.target for kill in done] == ["worker", "daemon", "webserver"]
    assert max(kill.ended_after_seconds for kill in done) < STARTED_AT_MOST_SECONDS, "while a daemon lives"
