"""Kills at seeded moments of real productions. Each one must hit a running process, and afterwards everything that is
promised must hold; both the tests and ``benchmarks/faults.py`` run these.

A moment is a step of the run and a delay after its start, so that it means the same on a slow machine.
"""

import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import dagster as dg

from sparkle_dagster.cli.dev import PROPER_START_SECONDS
from sparkle_dagster.defs.run_lock import locks_folder
from tests.faults.processes import below, holders, is_running, kill, providers_of, wait_for
from tests.faults.promises import (
    assert_finished,
    assert_nothing_lost,
    committed,
    finish,
    runs_of,
    unended_runs,
)
from tests.pipeline.test_switches import two_seconds
from tests.project import Project, make_project

STEPS = ("upload", "script", "aligned_video", "assembled_video", "qa_report")
STARTED_AT_MOST_SECONDS = 60


@dataclass(frozen=True)
class Moment:
    step: str
    delay_seconds: float

    def __str__(self) -> str:
        return f"{self.step} + {self.delay_seconds:.2f} s"


@dataclass(frozen=True)
class Kill:
    """One kill that hit, and how the production was finished after it."""

    target: str
    moment: Moment
    finished_by: str
    ended_after_seconds: float
    """From the kill until its run had an end."""


def moments(seed: int, count: int) -> list[Moment]:
    """All steps in turn from a random one on, each at a random delay."""
    chance = random.Random(seed)
    first = chance.randrange(len(STEPS))
    order = [STEPS[(first + 2 * number) % len(STEPS)] for number in range(count)]
    return [Moment(step, chance.uniform(0, 0.4)) for step in order]


def new_voice(project: Project, name: str, number: int) -> Path:
    """Two seconds that no other number has, by one sample."""
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / f"{name}.wav")
    with voice.open("r+b") as stream:
        stream.seek(200)
        stream.write((number + 1).to_bytes(2, "little"))
    return voice


def kill_in_command(project: Project, production: str, target: str, moment: Moment) -> Kill:
    """Make the production anew by a command; kill its own process (``run``) or the one of a ``provider``."""
    before = committed(project)
    known = {run.run_id for run in runs_of(project, production)}
    victim = _start(project, "victim.log", "rerun", production, "--from", "upload")
    run = _await(project, production, known, moment)
    if target == "run":
        assert kill(victim.pid), f"{target} at {moment}: nothing to kill"
    else:  # one may end between the look and the kill: then the next one is meant
        wait_for("a running provider was killed", lambda: any(kill(pid) for pid in providers_of(project.home)), every=0)
    killed_at = time.time()
    code = victim.wait(timeout=120)
    assert (code == -9) == (target == "run"), (code, (project.root / "victim.log").read_text())
    wait_for("the providers are gone with it", lambda: not providers_of(project.home))
    assert_nothing_lost(project, before)
    by = finish(project, production)
    _assert_all_well(project, production, before)
    return Kill(target, moment, by or "itself", _ended_at(project, run.run_id) - killed_at)


def make_served_project(root: Path) -> Project:
    """Its UI on a free port."""
    project = make_project(root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    project.edit("configs/tool_registry.yaml", "port: 3000", f"port: {free}")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", "settle_s: 1")
    return project


class Server:
    """`sparkle dev`, whose parts get killed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._process = _start(project, "dev.log", "dev")
        try:
            self._await_services({})
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def drop(self, name: str, number: int) -> str:
        """A new voice in the inbox; the key of its production, as soon as it has a run."""
        voice = new_voice(self.project, name, number)
        (voice.with_suffix(".yaml")).write_text("profile: draft\n")
        for path in (voice.with_suffix(".yaml"), voice):
            path.rename(self.project.home / "uploads" / path.name)
        slug = name.replace("_", "-")

        def look() -> str | None:
            with self.project.instance() as instance:
                keys = instance.get_dynamic_partitions("productions")
            found = [key for key in keys if key.rsplit("-", 1)[0] == slug]
            return found[0] if found and runs_of(self.project, found[0]) else None

        return wait_for(f"a run for {name}", look, every=0.3)

    def round(self, number: int, worker_moment: Moment, services_moment: Moment, pause_seconds: float) -> list[Kill]:
        """Kill a run's worker, then the daemon and, a little later, the webserver while another run is under way."""
        before = committed(self.project)
        first = self.drop(f"worker_{number}", 2 * number + 1)
        run = _await(self.project, first, set(), worker_moment)
        pids = holders(locks_folder(self.project.home) / f"{run.run_id}.lock")
        assert kill(next(iter(pids), 0)), f"worker at {worker_moment}: nothing to kill"
        worker_killed = time.time()
        time.sleep(max(self._proper_at - time.monotonic(), 0))
        second = self.drop(f"service_{number}", 2 * number + 2)
        _await(self.project, second, set(), services_moment)
        old = self._services()
        assert kill(old["daemon"]), f"daemon at {services_moment}: nothing to kill"
        daemon_killed = time.time()
        time.sleep(pause_seconds)
        assert kill(old["webserver"]), f"webserver at {services_moment}: nothing to kill"
        webserver_killed = time.time()
        worker = self._end("worker", first, worker_moment, worker_killed)
        daemon = self._end("daemon", second, services_moment, daemon_killed)
        webserver = replace(daemon, target="webserver")
        webserver = replace(
            webserver, ended_after_seconds=daemon.ended_after_seconds - webserver_killed + daemon_killed
        )
        self._await_services(old)
        assert_nothing_lost(self.project, before)
        return [worker, daemon, webserver]

    def _end(self, target: str, production: str, moment: Moment, killed_at: float) -> Kill:
        """Until the production is finished: by a run of its own accord, or else by the command that is shown."""
        run = runs_of(self.project, production)[-1]
        wait_for(f"{production}: its run has ended", lambda: _ended_at(self.project, run.run_id), every=0.3)
        before = committed(self.project)
        if not self.project.store.generations(f"upload/{production}"):
            wait_for(f"{production} starts again", lambda: _succeeded(self.project, production), every=0.5)
            by = "itself, started again"
        else:
            wait_for(f"{production}: no run", lambda: not unended_runs(self.project, production), every=0.3)
            by = finish(self.project, production) or "itself"
        _assert_all_well(self.project, production, before)
        return Kill(target, moment, by, _ended_at(self.project, run.run_id) - killed_at)

    def _services(self) -> dict[str, int]:
        found = {name: below(self._process.pid, word) for name, word in SERVICES.items()}
        return {name: pids[0] for name, pids in found.items() if pids}

    def _await_services(self, old: dict[str, int]) -> None:
        """Both run, and neither is an old one."""

        def look() -> bool:
            assert is_running(self._process.pid), (self.project.root / "dev.log").read_text()[-3000:]
            new = self._services()
            return set(new) == set(SERVICES) and not set(new.values()) & set(old.values())

        wait_for("daemon and webserver run", look, every=0.3)
        self._proper_at = time.monotonic() + PROPER_START_SECONDS


SERVICES = {"daemon": "dagster._daemon", "webserver": "dagster_webserver"}


def _start(project: Project, log_name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """`sparkle <arguments>`, going on by itself."""
    command = [sys.executable, "-m", "sparkle_dagster.cli", *arguments]
    with (project.root / log_name).open("w") as log:
        return subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=log, stderr=log)


def _await(project: Project, production: str, known: set[str], moment: Moment) -> dg.DagsterRun:
    """The new run of a production, when the moment has come."""
    with project.instance() as instance:
        by_production = dg.RunsFilter(tags={"dagster/partition": production})

        def look() -> dg.DagsterRun | None:
            for run in instance.get_runs(by_production, limit=1):
                stats = instance.get_run_step_stats(run.run_id)
                if run.run_id not in known and any(item.step_key == moment.step for item in stats):
                    return run
            return None

        run = wait_for(f"a run comes to {moment.step}", look)
    time.sleep(moment.delay_seconds)
    return run


def _ended_at(project: Project, run_id: str) -> float:
    """Seconds since the epoch; 0 while it has not ended."""
    with project.instance() as instance:
        record = instance.get_run_record_by_id(run_id)
    return (record.end_time or 0.0) if record else 0.0


def _succeeded(project: Project, production: str) -> bool:
    return runs_of(project, production)[0].status is dg.DagsterRunStatus.SUCCESS


def _assert_all_well(project: Project, production: str, before: dict[tuple[str, int], str]) -> None:
    assert_finished(project, production)
    assert_nothing_lost(project, before)
    assert not unended_runs(project, production)
    assert not holders_left(project)


def holders_left(project: Project) -> list[Path]:
    """Provider processes that outlived their run."""
    return [Path(f"/proc/{pid}") for pid in providers_of(project.home)]
