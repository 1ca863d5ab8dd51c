"""Kills at seeded moments of real productions. Each one must hit a running process, and afterwards everything that is
promised must hold; both the tests and ``benchmarks/faults.py`` run these.

A moment is a step of the run and a delay after its start, so that it means the same on a slow machine. Where a run was
over before its moment came, nothing was hit: the kill is tried again on another run, sooner.
"""

import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import dagster as dg

from sparkle_dagster.cli.dev import PROPER_START_SECONDS
from sparkle_dagster.defs.run_lock import locks_folder
from tests.faults.processes import PATIENCE_SECONDS, below, holders, is_running, kill, providers_of, wait_for
from tests.faults.promises import (
    assert_finished,
    assert_nothing_lost,
    committed,
    ended_at,
    finish,
    first_look,
    runs_of,
    unended_runs,
)
from tests.pipeline.test_switches import two_seconds
from tests.project import Project, make_project

STEPS = {
    "upload": "upload",
    "script": "script",
    "aligned_video": "lipsync",
    "assembled_video": "video",
    "qa_report": "qa",
}
"""Step -> the node whose it is."""
IN_COMMANDS = ("run", "step", "provider")
SERVICES = {"daemon": "dagster._daemon", "webserver": "dagster_webserver"}
STARTED_AT_MOST_SECONDS = 60
TRIES = 6


@dataclass(frozen=True)
class Moment:
    step: str
    delay_seconds: float

    def __str__(self) -> str:
        return f"{self.step} + {self.delay_seconds:.2f} s"

    def sooner(self) -> Iterator["Moment"]:
        """This moment, then half the delay, and so on."""
        for number in range(TRIES):
            yield replace(self, delay_seconds=self.delay_seconds / 2**number)


@dataclass(frozen=True)
class Kill:
    """One kill that hit, and how the production was finished after it."""

    target: str
    moment: Moment
    finished_by: str
    ended_after_seconds: float
    """Until its run had an end: from the kill, or from the first tick of a new daemon where the old one was killed."""


def moments(seed: int, count: int) -> list[Moment]:
    """All steps in turn from a random one on, each at a random delay."""
    chance = random.Random(seed)
    first = chance.randrange(len(STEPS))
    order = [list(STEPS)[(first + 2 * number) % len(STEPS)] for number in range(count)]
    return [Moment(step, chance.uniform(0, 0.4)) for step in order]


def new_voice(project: Project, name: str, number: int) -> Path:
    """Two seconds that no other number has, by one sample."""
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / f"{name}.wav")
    with voice.open("r+b") as stream:
        stream.seek(200)
        stream.write((number + 1).to_bytes(2, "little"))
    return voice


def kill_in_command(project: Project, production: str, target: str, moment: Moment) -> Kill:
    """Make the production anew, from the moment's step on, by a command; kill the command's own process (``run``), that
    of a ``step`` or that of a ``provider``.
    """
    for at in moment.sooner():
        before = committed(project)
        known = {run.run_id for run in runs_of(project, production)}
        # Only under this executor does a step have a process of its own.
        executor = {"SPARKLE_EXECUTOR": "multiprocess"} if target == "step" else {}
        command = _start(project, "command.log", ["rerun", production, "--force", "--from", STEPS[at.step]], executor)
        run = _await(project, production, known, at)
        was_hit = wait_for(
            f"a {target} was killed, or its run was over",
            lambda command=command, run=run: _strike(project, target, command, run),
            every=0.01,
        )
        killed_at = time.time()
        code = command.wait(timeout=PATIENCE_SECONDS)
        if was_hit == "over":
            assert code == 0, (project.root / "command.log").read_text()
            continue
        assert (code == -9) == (target == "run"), (code, (project.root / "command.log").read_text())
        wait_for("the providers are gone with it", lambda: not providers_of(project.home))
        assert_nothing_lost(project, before)
        by = finish(project, production)
        _assert_all_well(project, production, before)
        assert not providers_of(project.home)
        return Kill(target, at, by or "itself", ended_at(project, run.run_id) - killed_at)
    raise AssertionError(f"{target} at {moment}: never hit in {TRIES} runs")


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
        self._voices = 0
        self._process = _start(project, "dev.log", ["dev"])
        try:
            self._await_services({})
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=120)

    def round(self, worker_moment: Moment, services_moment: Moment, pause_seconds: float) -> list[Kill]:
        """Kill a run's worker; then, while another run is under way, the daemon and a little later the webserver."""
        before = committed(self.project)
        worker = self._kill_worker(worker_moment)
        services = self._kill_services(services_moment, pause_seconds)
        kills = [worker(), *services()]
        assert_nothing_lost(self.project, before)
        wait_for("no provider is left when no run is", lambda: not providers_of(self.project.home))
        return kills

    def _kill_worker(self, moment: Moment) -> Callable[[], Kill]:
        """What finishes the production, to be called later: the services are killed meanwhile."""
        for at in moment.sooner():
            production = self._drop()
            run = _await(self.project, production, set(), at)
            running = providers_of(self.project.home)  # of this run: no other is under way
            if not any(kill(pid) for pid in holders(locks_folder(self.project.home) / f"{run.run_id}.lock")):
                wait_for(f"{production} is finished", lambda run=run: ended_at(self.project, run.run_id))
                continue
            killed_at = time.time()
            ended = wait_for("the lost run has an end", lambda run=run: ended_at(self.project, run.run_id), every=0.3)
            wait_for("its providers are gone", lambda was=running: not set(was) & set(providers_of(self.project.home)))
            return lambda: Kill("worker", at, self._finish(production), ended - killed_at)
        raise AssertionError(f"worker at {moment}: never hit in {TRIES} runs")

    def _kill_services(self, moment: Moment, pause_seconds: float) -> Callable[[], list[Kill]]:
        """What finishes the production and waits for new services."""
        time.sleep(max(self._proper_at - time.monotonic(), 0))
        production = self._drop()
        run = _await(self.project, production, set(), moment)
        old = self._services()
        assert kill(old["daemon"]), f"daemon at {moment}: nothing to kill"
        killed_at = time.time()
        time.sleep(pause_seconds)
        assert kill(old["webserver"]), f"webserver at {moment}: nothing to kill"

        def finished() -> list[Kill]:
            ended = wait_for(f"{production}: its run has ended", lambda: ended_at(self.project, run.run_id), every=0.3)
            by = self._finish(production)
            self._await_services(old)
            look = wait_for("the new daemon looks", lambda: first_look(self.project, after=killed_at), every=0.3)
            daemon = Kill("daemon", moment, by, max(ended - look, 0))
            return [daemon, replace(daemon, target="webserver")]

        return finished

    def _drop(self) -> str:
        """A new voice in the inbox; the key of its production, as soon as it has a run."""
        self._voices += 1
        name = f"voice-{self._voices}-of-many"
        voice = new_voice(self.project, name, self._voices)
        (voice.with_suffix(".yaml")).write_text("profile: draft\n")
        for path in (voice.with_suffix(".yaml"), voice):
            path.rename(self.project.home / "uploads" / path.name)

        def look() -> str | None:
            with self.project.instance() as instance:
                keys = instance.get_dynamic_partitions("productions")
            found = [key for key in keys if key.rsplit("-", 1)[0] == name]
            return found[0] if found and runs_of(self.project, found[0]) else None

        return wait_for(f"a run for {name}", look, every=0.3)

    def _finish(self, production: str) -> str:
        """Until the production is finished: by a run of its own accord, or else by the command that is shown."""
        before = committed(self.project)
        if not self.project.store.generations(f"upload/{production}"):
            wait_for(f"{production} starts again", lambda: _succeeded(self.project, production), every=0.5)
            by = "itself, started again"
        else:
            wait_for(f"{production}: no run", lambda: not unended_runs(self.project, production), every=0.3)
            by = finish(self.project, production) or "itself"
        _assert_all_well(self.project, production, before)
        return by

    def _services(self) -> dict[str, int]:
        found = {name: below(self._process.pid, word) for name, word in SERVICES.items()}
        return {name: pids[0] for name, pids in found.items() if pids}

    def _await_services(self, old: Mapping[str, int]) -> None:
        """Both run, and neither is an old one."""

        def look() -> bool:
            assert is_running(self._process.pid), (self.project.root / "dev.log").read_text()[-3000:]
            new = self._services()
            return set(new) == set(SERVICES) and not set(new.values()) & set(old.values())

        wait_for("daemon and webserver run", look, every=0.3)
        self._proper_at = time.monotonic() + PROPER_START_SECONDS


def _start(
    project: Project, log_name: str, arguments: list[str], variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """`sparkle <arguments>`, going on by itself."""
    command = [sys.executable, "-m", "sparkle_dagster.cli", *arguments]
    environment = {**project.environment, **(variables or {})}
    with (project.root / log_name).open("w") as log:
        return subprocess.Popen(command, cwd=project.root, env=environment, stdout=log, stderr=log)


def _strike(project: Project, target: str, command: subprocess.Popen[bytes], run: dg.DagsterRun) -> str:
    """Kill one process of the run: ``hit``, ``over`` when the run had none left, empty when there is none just now."""
    match target:
        case "run":
            found = [command.pid]
        case "step":
            found = holders(locks_folder(project.home) / f"{run.run_id}.lock")
            found = [pid for pid in found if pid != command.pid]
        case _:
            found = providers_of(project.home)
    if any(kill(pid) for pid in found):
        return "hit"
    return "over" if command.poll() is not None else ""


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


def _succeeded(project: Project, production: str) -> bool:
    return runs_of(project, production)[0].status is dg.DagsterRunStatus.SUCCESS


def _assert_all_well(project: Project, production: str, before: dict[tuple[str, int], str]) -> None:
    assert_finished(project, production)
    assert_nothing_lost(project, before)
    assert not unended_runs(project, production)
