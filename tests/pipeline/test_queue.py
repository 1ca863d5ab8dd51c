"""Fifty uploads at once end well, within their limits, and one that is urgent does not wait for all the others."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import Project

MANY = 50
AT_ONCE = 3  # max_concurrent_runs of configs/dagster.yaml
PATIENCE_SECONDS = 2400


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """With `sparkle dev` running."""
    project = make_cheap_project(tmp_path_factory.mktemp("queue") / "project")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        project.edit("configs/tool_registry.yaml", "port: 3000", f"port: {probe.getsockname()[1]}")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", "settle_s: 1")
    with (project.root / "dev.log").open("w") as log:
        command = [sys.executable, "-m", "sparkle_dagster.cli", "dev"]
        process = subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=log, stderr=log)
        try:
            yield project
        finally:
            process.terminate()
            process.wait(timeout=120)


@pytest.mark.requirement("S44", "U7")
def test_urgent_upload_is_asked_for_first_and_a_later_one_last(tmp_path: Path) -> None:
    project = make_cheap_project(tmp_path / "project")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", "settle_s: 0")
    inbox = project.home / "uploads"
    inbox.mkdir(parents=True)
    for number, (name, tag) in enumerate({"evening": "later", "usual": "", "news": "urgent"}.items()):
        second_of_sound(inbox / f"{name}.wav", number)
        if tag:
            (inbox / f"{name}.yaml").write_text(f"tags: [{tag}]\n")
    asked = [item["tags"] for item in project.tick("inbox")["requests"]]
    names = [tags["sparkle/production"].partition("-")[0] for tags in asked]
    assert list(zip(names, [tags.get("dagster/priority") for tags in asked], strict=True)) == [
        ("news", "10"),
        ("usual", None),
        ("evening", "-10"),
    ]


def runs_of(project: Project) -> list[dg.RunRecord]:
    with project.instance() as instance:
        return list(instance.get_run_records(dg.RunsFilter(job_name="production")))


def wait_for(project: Project, what: str, count: int, statuses: set[str]) -> list[dg.RunRecord]:
    """Until so many runs have one of these statuses."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (project.home / "dagster/dagster.yaml").exists():
            found = [run for run in runs_of(project) if run.dagster_run.status.value in statuses]
            if len(found) >= count:
                return found
        time.sleep(1)
    raise AssertionError(f"never happened: {what}\n{(project.root / 'dev.log').read_text()[-3000:]}")


@pytest.mark.requirement("S44")
@pytest.mark.system
@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_fifty_uploads_at_once_end_well_and_the_urgent_one_goes_first(served: Project) -> None:
    project = served
    inbox, hidden = project.home / "uploads", project.root / "voices"
    hidden.mkdir()
    for number in range(MANY):
        second_of_sound(hidden / f"voice-{number:02}.wav", number)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not inbox.is_dir():
        assert time.monotonic() < deadline, "the inbox never came"
        time.sleep(0.5)
    for voice in hidden.iterdir():
        shutil.move(voice, inbox / voice.name)
    wait_for(project, "runs begin", 1, {"STARTED"})
    wait_for(project, "the others wait", MANY // 2, {"QUEUED"})
    (inbox / "urgent.yaml").write_text("tags: [urgent]\n")
    second_of_sound(project.root / "urgent.wav", MANY).rename(inbox / "urgent.wav")
    runs = wait_for(project, "all have ended", MANY + 1, {"SUCCESS", "FAILURE", "CANCELED"})
    assert {run.dagster_run.status.value for run in runs} == {"SUCCESS"}
    assert len({run.dagster_run.tags["sparkle/production"] for run in runs}) == MANY + 1
    urgent = next(run for run in runs if run.dagster_run.tags["sparkle/production"].startswith("urgent-"))
    assert _started_between(urgent, runs) <= AT_ONCE, "it waits for those that run, and for none that wait"
    assert _most_at_once(runs) <= AT_ONCE
    assert len(project.store.keys("report/")) == MANY + 1
    assert project.sparkle("fsck")["findings"] == []


def _started_between(urgent: dg.RunRecord, runs: list[dg.RunRecord]) -> int:
    """Runs that began after the urgent one was asked for and before it began."""
    asked, began = urgent.create_timestamp.timestamp(), urgent.start_time or 0.0
    return sum(asked < (run.start_time or 0.0) < began for run in runs)


def _most_at_once(runs: list[dg.RunRecord]) -> int:
    edges = [(run.start_time or 0.0, 1) for run in runs] + [(run.end_time or 0.0, -1) for run in runs]
    depth = most = 0
    for _, step in sorted(edges):
        depth += step
        most = max(most, depth)
    return most
