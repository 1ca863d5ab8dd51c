"""The whole deployment on Postgres, as processes: a voice dropped into the inbox becomes a finished production.

Needs PostgreSQL's programs and the extra `postgres`; `make test-system` runs it.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docker.recipes import PROJECT
from tests.docker.stack import LOOPBACK, PASSWORD, Stack, running_stack, wait_for
from tests.system_packages import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_a_dropped_voice_is_finished_on_postgres(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        prepared = stack.run("prepare")
        assert prepared.returncode == 0, prepared.stdout + prepared.stderr
        for service in ("code", "webserver", "daemon"):
            stack.start(service)
        _second_daemon_is_refused(stack)
        _drop(stack, "voice_short.wav", "voice_short.txt")
        wait_for(lambda: _statuses(stack) == {"SUCCESS"}, "the production", seconds=400)
        shown = json.loads(stack.run("code", ["sparkle", "status", "--json"]).stdout)
        assert len(shown) == 1, shown
        exported = stack.run("code", ["sparkle", "export", _production(stack), "--to", str(tmp_path / "out")])
        assert exported.returncode == 0, exported.stdout + exported.stderr
        assert list((tmp_path / "out").rglob("*.mp4"))
        assert not list((tmp_path / "state").rglob("*.db")), "records lie in Postgres, not in files"
        assert "error" not in stack.log("daemon").lower(), stack.log("daemon")[-3000:]
        codes = stack.stop()
    assert -9 not in codes.values(), codes


def _second_daemon_is_refused(stack: Stack) -> None:
    second = stack.run("daemon")
    assert second.returncode == 1
    assert "failed to get lock" in second.stderr


def _drop(stack: Stack, *names: str) -> None:
    for name in names:
        shutil.copy(PROJECT / "samples" / name, tmp := stack.root / name)
        shutil.move(tmp, stack.root / "state/uploads" / name)


def _statuses(stack: Stack) -> set[str]:
    """States of all runs, as the database has them."""
    statuses = _query(stack, "select status from runs")
    assert "FAILURE" not in statuses, stack.log("code")[-5000:]
    return set(statuses)


def _production(stack: Stack) -> str:
    (key,) = _query(stack, "select partition from dynamic_partitions")
    return key


def _query(stack: Stack, sql: str) -> list[str]:
    command = [
        program("postgres").with_name("psql"),
        "-h",
        LOOPBACK,
        "-p",
        stack.database_port,
        "-U",
        "sparkle",
        "-At",
        "-c",
        sql,
        "sparkle",
    ]
    done = subprocess.run(command, env={"PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
