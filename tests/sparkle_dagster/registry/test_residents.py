"""Warm providers: one resident process keeps the instance for all who ask, and is as mortal as an attempt's process."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ProviderCrashed, ProviderFailed, ProviderRejected, ProviderTimeout, SparkleError
from contracts.lipsync import LipSyncRequest, LipSyncResult
from sparkle_dagster.registry.attempts import Outcome
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.residents import Residents
from tests.faults.processes import is_running
from tests.sparkle_dagster.registry.conftest import MakeRegistry, WriteProject, processes_named
from tests.sparkle_dagster.registry.test_attempt_processes import wait_until

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
LONG_SECONDS = 120.0


class Installation:
    """A project whose lip-sync is warm."""

    def __init__(self, registry: ProviderRegistry, request: LipSyncRequest, count_file: Path) -> None:
        self.registry = registry
        self.request = request
        self._count_file = count_file

    def run(self, timeout_seconds: float = LONG_SECONDS, *, on_progress: Any = None, **metadata: str) -> LipSyncResult:
        request = self.request.model_copy(update={"metadata": metadata})
        task = self.registry.resolve("lipsync", timeout_seconds=timeout_seconds)
        outcome: Outcome = task.run_with_outcome(request, on_progress=on_progress)
        assert isinstance(outcome.result, LipSyncResult)
        return outcome.result

    @property
    def residents(self) -> Residents:
        return self.registry.residents

    @property
    def loads(self) -> int:
        return len(self._count_file.read_text().splitlines())

    def script(self, times: int, **metadata: str) -> list[str]:
        """The command of another process that runs the same."""
        config = self.registry.project_settings.project / "configs/tool_registry.yaml"
        request = self.request.model_copy(update={"metadata": metadata}).model_dump_json()
        text = f"""
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
lipsync = ProviderRegistry.from_config({str(config)!r}).resolve("lipsync")
for _ in range({times}):
    lipsync.run(LipSyncRequest.parse_json({request!r}))
"""
        return [sys.executable, "-c", text]


Install = Callable[..., Installation]


@pytest.fixture
def install(make_registry: MakeRegistry, request_of: RequestOf, tmp_path: Path, marker: str) -> Iterator[Install]:
    made: list[Installation] = []

    def make(options: str = "", idle_s: float = 300) -> Installation:
        registry = make_registry(
            f"it: {{use: StaysLoaded, count_file: {tmp_path / 'loads'}, marker: {marker}{options}}}",
            lipsync="{providers: [it]}",
        )
        if idle_s != 300:
            file = registry.project_settings.project / "configs/tool_registry.yaml"
            file.write_text(file.read_text().replace("settings:\n", f"settings:\n  warm: {{idle_s: {idle_s}}}\n"))
            registry = ProviderRegistry.from_config(file)
        made.append(Installation(registry, request_of(registry), tmp_path / "loads"))
        return made[-1]

    yield make
    for installation in made:
        assert installation.residents.end(60) == []


def test_twenty_runs_of_two_processes_load_once(install: Install) -> None:
    installation = install()
    here = [installation.run() for _ in range(10)]
    subprocess.run(installation.script(times=9), cwd=Path(__file__).parents[3], check=True)
    last = installation.run()
    assert installation.loads == 1
    assert last.notes[0] == "20"
    assert {result.notes[1] for result in here} == {last.notes[1]}
    (state,) = installation.residents.states()
    assert (state.provider, state.runs, state.is_busy) == ("lipsync/it", 20, False)
    assert state.memory_bytes > 64 * 2**20


def test_a_process_that_imports_from_more_folders_uses_the_same(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = install()
    first = installation.run()
    monkeypatch.syspath_prepend(tmp_path)
    assert installation.run().notes[:2] == ("2", first.notes[1])


def test_every_run_has_an_empty_folder_of_its_own(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    installation = install()
    seen: list[tuple[float, float, str]] = []
    first = installation.run()
    with caplog.at_level(logging.INFO):
        second = installation.run(on_progress=lambda *progress: seen.append(progress))
    assert first.notes[2] != second.notes[2]
    assert second.notes[3] == "left.txt"
    assert seen == [(2, 2, "all")]
    assert caplog.text.count("to standard output") == 1
    assert list((installation.registry.project_settings.home / "scratch").iterdir()) == []


def test_it_ends_when_unused_and_gives_its_memory_back(install: Install) -> None:
    installation = install(idle_s=0.5)
    worker = int(installation.run().notes[1])
    wait_until(lambda: not installation.residents.states() and not is_running(worker))
    assert installation.residents.states() == []
    assert not is_running(worker)
    assert installation.run().notes[0] == "1"
    assert installation.loads == 2


def test_it_is_killed_whole_at_the_deadline_and_started_again(install: Install, marker: str) -> None:
    installation = install()
    installation.run()
    with pytest.raises(ProviderTimeout, match=r"lipsync/it: expected an answer within 3 s, got none"):
        installation.run(timeout_seconds=3, how="hangs")
    assert processes_named(marker) == []
    assert installation.run().notes[0] == "1"
    assert installation.loads == 2


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("segfault", ProviderCrashed, "ended by SIGSEGV"),
        ("memory", ProviderCrashed, "ran out of memory"),
        ("bug", ProviderFailed, "ZeroDivisionError: a very ordinary bug"),
        ("loses its supervisor", ProviderCrashed, "supervising process was lost"),
    ],
)
def test_after_a_fault_nothing_is_left_and_a_new_instance_serves(
    install: Install, marker: str, how: str, kind: type[SparkleError], said: str
) -> None:
    installation = install()
    with pytest.raises(kind, match=said):
        installation.run(how=how)
    assert processes_named(marker) == []
    assert installation.run().notes[0] == "1"
    assert installation.loads == 2


def test_instance_is_kept_where_only_the_request_was_bad(install: Install) -> None:
    installation = install()
    with pytest.raises(ProviderRejected):
        installation.run(how="rejects")
    assert installation.run().notes[0] == "2"
    assert installation.loads == 1


def test_caller_that_dies_frees_it(install: Install, marker: str) -> None:
    installation = install()
    caller = subprocess.Popen(installation.script(times=1, how="hangs"), cwd=Path(__file__).parents[3])
    try:
        wait_until(lambda: len(processes_named(marker)) == 1)
        assert len(processes_named(marker)) == 1
    finally:
        caller.kill()
        caller.wait()
    assert installation.run().notes[0] == "1"
    assert processes_named(marker) == []
    scratch = installation.registry.project_settings.home / "scratch"
    wait_until(lambda: list(scratch.iterdir()) == [])
    assert list(scratch.iterdir()) == []


def test_callers_at_once_start_one_and_are_served_in_turn(install: Install) -> None:
    installation = install()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: installation.run(), range(8)))
    assert sorted(int(result.notes[0]) for result in results) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert installation.loads == 1


def test_waiting_for_others_does_not_count_against_the_deadline(install: Install, tmp_path: Path) -> None:
    installation = install()
    installation.run()
    begun, until = threading.Event(), tmp_path / "until"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(installation.run, how="waits", until=str(until), on_progress=lambda *progress: begun.set())
        assert begun.wait(60)
        second = pool.submit(installation.run, timeout_seconds=2)
        time.sleep(3)
        until.touch()
        assert [first.result().notes[0], second.result().notes[0]] == ["2", "3"]


def test_a_caller_may_stop_it(install: Install, marker: str) -> None:
    installation = install()

    def interrupt(done: float, total: float, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installation.run(how="hangs", on_progress=interrupt)
    assert processes_named(marker) == []
    assert installation.run().notes[0] == "1"


def test_other_options_are_another_resident(install: Install) -> None:
    first, second = install(), install(", name: other")
    assert first.run().notes[1] != second.run().notes[1]
    assert len(first.residents.states()) == 2


def test_other_weights_are_another_resident(make_registry: MakeRegistry, request_of: RequestOf, tmp_path: Path) -> None:
    weights = tmp_path / "net.pth"
    weights.write_bytes(b"one")
    registry = make_registry(
        f"it: {{use: StaysLoaded, count_file: {tmp_path / 'loads'}}}",
        lipsync="{providers: [it]}",
        more=f'models: {{net: {{path: "{weights}", licence: research-only}}}}\n',
    )
    installation = Installation(registry, request_of(registry), tmp_path / "loads")
    try:
        assert [installation.run().notes[0], installation.run().notes[0]] == ["1", "2"]
        weights.write_bytes(b"other")
        assert installation.run().notes[0] == "1"
    finally:
        assert installation.residents.end(60) == []


def test_changed_code_is_loaded_anew(
    write_project: WriteProject, request_of: RequestOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a module that the provider only imports."""
    monkeypatch.syspath_prepend(tmp_path)
    module, part = tmp_path / "changing_provider.py", tmp_path / "changing_part.py"
    module.write_text(
        "from tests.sparkle_dagster.registry.small_providers import HandsOn\n"
        "class It(HandsOn):\n"
        "    warm = True\n"
        "    def run(self, request):\n"
        "        import changing_part\n"
        "        return super().run(request).model_copy(update={'notes': (changing_part.NOTE,)})\n"
    )
    part.write_text("NOTE = 'before'\n")
    file = write_project(lipsync="{providers: [it]}") / "configs/tool_registry.yaml"
    file.write_text(file.read_text() + '    it: {use: "changing_provider:It"}\n')
    registry = ProviderRegistry.from_config(file)
    task, request = registry.resolve("lipsync"), request_of(registry)
    try:
        assert [task.run(request).notes, task.run(request).notes] == [("before",), ("before",)]
        (before,) = registry.residents.states()
        part.write_text("NOTE = 'afterwards'\n")
        assert task.run(request).notes == ("afterwards",)
        (after,) = registry.residents.states()
        assert (before.process_id, after.runs) != (after.process_id, before.runs)
    finally:
        assert registry.residents.end(60) == []


def test_ending_lets_a_busy_one_finish(install: Install, tmp_path: Path) -> None:
    installation = install()
    begun, until = threading.Event(), tmp_path / "until"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            installation.run, how="waits", until=str(until), on_progress=lambda *progress: begun.set()
        )
        assert begun.wait(60)
        (busy,) = installation.residents.end(60)
        assert busy.is_busy
        until.touch()
        assert running.result().notes[0] == "1"
    wait_until(lambda: not is_running(busy.process_id))
    assert not is_running(busy.process_id)
    assert list(installation.residents.folder.glob("*.sock")) == []


def test_one_that_was_killed_is_replaced(install: Install) -> None:
    installation = install()
    worker = int(installation.run().notes[1])
    (state,) = installation.residents.states()
    os.kill(state.process_id, signal.SIGKILL)
    wait_until(lambda: not is_running(worker))
    assert not is_running(worker)
    assert installation.residents.states() == []
    assert installation.run().notes[0] == "1"
    said = json.loads(next(installation.residents.folder.glob("*.json")).read_text())
    assert said["process_id"] != state.process_id


def test_a_home_with_a_long_path_is_served(install: Install) -> None:
    installation = install()
    installation.run()
    assert len(str(installation.residents.folder / "0123456789abcdef.sock").encode()) > 107
