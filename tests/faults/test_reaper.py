"""Which runs are ended from outside, and which never: every holder here is a real process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from sparkle_dagster.defs.reaper import LAUNCH_TAG, LOST, reap
from sparkle_dagster.defs.run_lock import locks_folder
from tests.faults.processes import kill, wait_for

HOLDER = """
import sys, time
from pathlib import Path
from sparkle_dagster.defs.run_lock import hold_run
hold_run(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start a process that holds a name; its pid."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> int:
        command = [sys.executable, "-c", HOLDER, str(tmp_path), name]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stream = started[-1].stdout
        assert stream is not None
        assert stream.readline() == "held\n"
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def run_in(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str] | None = None
) -> dg.DagsterRun:
    @dg.job
    def nothing() -> None: ...

    return instance.create_run_for_job(nothing, status=status, tags=tags)


def die(pid: int) -> None:
    assert kill(pid)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value


def test_run_of_a_dead_process_is_ended_once(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.STARTED)
    pid = holder(run.run_id)
    assert reap(instance, tmp_path) == []
    assert status(instance, run) == "STARTED"
    die(pid)
    assert _eventually_reaped(instance, tmp_path) == [run.run_id]
    assert status(instance, run) == "FAILURE"
    assert reap(instance, tmp_path) == []
    verdicts = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert [entry.dagster_event.message for entry in verdicts if entry.dagster_event] == [LOST]
    assert not list(locks_folder(tmp_path).iterdir())


def test_run_lives_while_one_of_its_processes_does(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.STARTED)
    worker, _step = holder(run.run_id), holder(run.run_id)
    die(worker)
    assert reap(instance, tmp_path) == []
    assert status(instance, run) == "STARTED"


def test_run_that_was_being_cancelled_is_cancelled(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.CANCELING)
    die(holder(run.run_id))
    assert _eventually_reaped(instance, tmp_path) == [run.run_id]
    assert status(instance, run) == "CANCELED"


def test_command_killed_before_its_run_began_is_found_by_its_launch(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.NOT_STARTED, {LAUNCH_TAG: "a1b2"})
    again = run_in(instance, dg.DagsterRunStatus.STARTING, {LAUNCH_TAG: "a1b2"})  # from the UI, with copied tags
    die(holder("a1b2"))
    assert _eventually_reaped(instance, tmp_path) == [run.run_id]
    assert (status(instance, run), status(instance, again)) == ("FAILURE", "STARTING")


@pytest.mark.parametrize("where", ["another host", "nowhere"])
def test_run_of_another_host_is_left_alone(instance: dg.DagsterInstance, tmp_path: Path, where: str) -> None:
    run = run_in(instance, dg.DagsterRunStatus.STARTED)
    if where == "another host":
        folder = tmp_path / "runs" / "elsewhere"
        folder.mkdir(parents=True)
        (folder / f"{run.run_id}.lock").touch()
    assert reap(instance, tmp_path) == []
    assert status(instance, run) == "STARTED"


def test_finished_run_stays_as_it_is_and_its_file_goes(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.SUCCESS)
    pid = holder(run.run_id)
    die(pid)
    _eventually(lambda: reap(instance, tmp_path) == [] and not list(locks_folder(tmp_path).iterdir()))
    assert status(instance, run) == "SUCCESS"


def test_pool_slot_of_a_killed_step_is_given_back(
    instance: dg.DagsterInstance, tmp_path: Path, holder: Callable[[str], int]
) -> None:
    run = run_in(instance, dg.DagsterRunStatus.STARTED)
    log = instance.event_log_storage
    log.set_concurrency_slots("gpu", 1)
    assert log.claim_concurrency_slot("gpu", run.run_id, "aligned_video").is_claimed
    die(holder(run.run_id))
    assert log.get_concurrency_info("gpu").active_slot_count == 1
    assert _eventually_reaped(instance, tmp_path) == [run.run_id]
    assert log.get_concurrency_info("gpu").active_slot_count == 0


def _eventually_reaped(instance: dg.DagsterInstance, home: Path) -> list[str]:
    ended: list[str] = []
    _eventually(lambda: bool(ended) or bool(ended.extend(reap(instance, home)) or ended))
    return ended


def _eventually(condition: Callable[[], bool]) -> None:
    wait_for("the dead process has let go", condition)
