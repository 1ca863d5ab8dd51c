"""The Ray lane on a real cluster of two machines with one GPU each, which is a number and no device."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ProviderCrashed, ProviderTimeout, ProviderUnavailable
from contracts.events import Placement
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.attempts import Outcome
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.conftest import PROJECT
from tests.faults.processes import is_running, kill, wait_for
from tests.ray_cluster import TOKEN, TOKEN_NAME, Machines, two_gpu_machines
from tests.sparkle_dagster.registry.conftest import MakeRegistry, processes_named

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # Ray's own
]
RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
LONG_SECONDS = 300.0


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with two_gpu_machines() as found:
        yield found


class Installation:
    """A project whose warm lip-sync runs on the cluster."""

    def __init__(self, registry: ProviderRegistry, request: LipSyncRequest, count_file: Path) -> None:
        self.registry = registry
        self.request = request
        self._count_file = count_file

    def run(self, timeout_seconds: float = LONG_SECONDS, lane: str = "gpu", **metadata: str) -> Outcome:
        lipsync = self.registry.resolve("lipsync", timeout_seconds=timeout_seconds, lane=lane)
        return lipsync.run_with_outcome(self._request(metadata))

    @property
    def slots(self) -> list[dict[str, Any]]:
        return list(self.registry.remote_lanes["gpu"].slots())

    @property
    def loads(self) -> int:
        return len(self._count_file.read_text().splitlines())

    def script(self, **metadata: str) -> list[str]:
        """The command of another process that runs the same."""
        config = self.registry.project_settings.project / "configs/tool_registry.yaml"
        text = f"""
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
lipsync = ProviderRegistry.from_config({str(config)!r}).resolve("lipsync", lane="gpu")
lipsync.run(LipSyncRequest.parse_json({self._request(metadata).model_dump_json()!r}))
"""
        return [sys.executable, "-c", text]

    def _request(self, metadata: dict[str, str]) -> LipSyncRequest:
        """Of a production of its own."""
        production = self.request.production.model_copy(update={"key": f"voice-{uuid.uuid4().hex[:16]}"})
        return self.request.model_copy(update={"metadata": metadata, "production": production})


Install = Callable[..., Installation]


@pytest.fixture
def install(
    machines: Machines,
    make_registry: MakeRegistry,
    request_of: RequestOf,
    tmp_path: Path,
    marker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Install]:
    monkeypatch.setenv(TOKEN_NAME, TOKEN)
    machines.start()
    made: list[ProviderRegistry] = []

    def make(slots: int = 1, provider: str = "") -> Installation:
        provider = provider or f"{{use: StaysLoaded, count_file: {tmp_path / 'loads'}, marker: {marker}}}"
        registry = make_registry(f"it: {provider}", lipsync="{providers: [it]}")
        file = registry.project_settings.project / "configs/tool_registry.yaml"
        facts = f"kind: ray, slots: {slots}, address: '{machines.cluster.address}', shared_store: true"
        facts += f", token: {{secret: 'env:{TOKEN_NAME}'}}"
        file.write_text(file.read_text().replace("settings:\n", f"settings:\n  lanes: {{gpu: {{{facts}}}}}\n"))
        registry = ProviderRegistry.from_config(file)
        made.append(registry)
        return Installation(registry, request_of(registry), tmp_path / "loads")

    yield make
    for registry in made:
        machines.switch_off_the_lost()
        registry.remote_lanes["gpu"].restart(force=True)
        registry.residents.end(60)
        folder = str(registry.residents.folder.parent)
        wait_for("every resident ends, here and there", lambda folder=folder: not processes_named(folder))


def place(outcome: Outcome) -> Placement:
    placement = outcome.attempts[-1].placement
    assert placement is not None
    return placement


@pytest.mark.requirement("U3", "S44")
def test_twenty_productions_of_several_processes_load_once_and_give_what_the_local_lane_gives(install: Install) -> None:
    there = install()
    remote = [there.run() for _ in range(18)]
    for _ in range(2):
        subprocess.run(there.script(), cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True)
    assert there.loads == 1
    assert there.slots[0]["calls"] == 20
    local = there.run(lane="cpu")
    assert remote[-1].result.aligned_video == local.result.aligned_video
    found = place(remote[-1])
    assert (found.lane, found.kind, found.slot, found.device) == ("gpu", "ray", "0", "0")
    assert found.host == there.slots[0]["host"]
    assert remote[-1].attempts[-1].usage.peak_memory_mb


@pytest.mark.requirement("U3", "S44")
def test_three_at_once_never_share_a_slot(install: Install, tmp_path: Path) -> None:
    """Two slots: two run at once, on two machines, and the third waits for one of them."""
    until, log = tmp_path / "until", tmp_path / "log"
    there = install(slots=2, provider=f"{{use: Waits, until: {until}, log: {log}}}")
    with ThreadPoolExecutor(3) as callers:
        running = [callers.submit(there.run) for _ in range(3)]
        wait_for("both slots are taken", lambda: log.exists() and log.read_text().count("begins") == 2)
        assert sum(slot["is_busy"] for slot in there.slots) == 2
        assert log.read_text().count("begins") == 2
        until.touch()
        outcomes = [caller.result() for caller in running]
    assert {place(outcome).slot for outcome in outcomes} == {"0", "1"}
    spans = [(place(outcome).slot, *map(float, outcome.result.notes)) for outcome in outcomes]
    for (slot, begin, end), (other_slot, other_begin, other_end) in combinations(spans, 2):
        assert slot != other_slot or end <= other_begin or other_end <= begin, spans


def test_a_hang_ends_at_its_deadline_and_costs_only_its_own_process(install: Install) -> None:
    there = install()
    there.run()
    actor = there.slots[0]["process_id"]
    with pytest.raises(ProviderTimeout, match="expected an answer within 2 s"):
        there.run(timeout_seconds=2, how="hangs")
    assert there.run().result.notes[0] == "1"
    assert there.slots[0]["process_id"] == actor


def test_a_provider_that_is_killed_is_a_crash_and_the_next_is_served(install: Install) -> None:
    there = install()
    with pytest.raises(ProviderCrashed, match="SIGSEGV"):
        there.run(how="segfault")
    assert there.run().result.notes[0] == "1"


def test_a_lost_actor_is_a_crash_and_comes_back(install: Install, marker: str) -> None:
    there = install()
    there.run()
    actor = there.slots[0]["process_id"]
    with ThreadPoolExecutor(1) as callers:
        doomed = callers.submit(there.run, how="hangs")
        wait_for("it hangs", lambda: processes_named(marker))
        assert kill(actor)
        with pytest.raises(ProviderCrashed, match="was lost"):
            doomed.result()
    wait_for("its processes are gone", lambda: not processes_named(marker))
    assert there.run().result.notes
    assert there.slots[0]["process_id"] != actor


def test_a_lost_machine_is_a_crash_and_another_takes_its_place(
    install: Install, machines: Machines, marker: str
) -> None:
    there = install()
    there.run()
    actor = there.slots[0]["process_id"]
    with ThreadPoolExecutor(1) as callers:
        doomed = callers.submit(there.run, how="hangs")
        wait_for("it hangs", lambda: processes_named(marker))
        machines.lose(actor)
        with pytest.raises(ProviderCrashed, match="was lost"):
            doomed.result()
    wait_for("its processes are gone", lambda: not processes_named(marker))
    assert place(there.run()).slot == "0"


def test_a_slot_without_a_machine_does_not_hold_up_the_others(
    install: Install, machines: Machines, tmp_path: Path
) -> None:
    there = install(slots=2)
    with ThreadPoolExecutor(1) as callers:
        until = tmp_path / "until"
        running = callers.submit(there.run, how="waits", until=str(until))
        wait_for("slot 0 is taken", lambda: there.slots[0].get("is_busy"))
        assert place(there.run()).slot == "1"
        until.touch()
        running.result()
    first = there.slots[0]["process_id"]
    machines.lose(first)
    wait_for("its actor is gone", lambda: not is_running(first))
    assert place(there.run()).slot == "1"


def test_a_dead_callers_slot_is_free_again(install: Install, marker: str) -> None:
    there = install()
    there.run()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    caller = subprocess.Popen(there.script(how="hangs"), cwd=PROJECT, env=environment)
    wait_for("it hangs", lambda: processes_named(marker))
    caller.kill()
    caller.wait()
    wait_for("its processes are gone", lambda: not processes_named(marker))
    wait_for("the slot is free", lambda: not there.slots[0]["is_busy"])
    assert there.run().result.notes


def test_restart_ends_the_actor_and_what_stays_loaded(install: Install) -> None:
    there = install()
    worker = int(there.run().result.notes[1])
    actor = there.slots[0]["process_id"]
    assert there.registry.remote_lanes["gpu"].restart(force=False) == (1, 0)
    wait_for("both ended", lambda: not is_running(worker) and not is_running(actor))
    assert "host" not in there.slots[0]


def test_one_that_is_no_node_of_the_cluster_calls_through_its_door(
    install: Install, machines: Machines, tmp_path: Path
) -> None:
    """``ray://``, in a process of its own: Ray connects a process once."""
    there = install()
    config = there.registry.project_settings.project / "configs/tool_registry.yaml"
    config.write_text(config.read_text().replace(machines.cluster.address, machines.cluster.client_address))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run(there.script(), cwd=PROJECT, env=environment, check=True)
    assert there.slots[0]["calls"] == 1


def test_a_wrong_token_is_refused_in_words(install: Install, tmp_path: Path) -> None:
    there = install()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), TOKEN_NAME: "f" * 48}
    command = there.script()
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"{ProviderUnavailable.__name__}: no provider of lipsync can do this here: it: lane gpu:" in done.stderr
    assert signal.SIGABRT.name not in done.stderr
