"""A workspace's retention: holds, runs in flight, tombstones that tell how, the inbox; and Dagster's own records."""

import io
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from contracts.errors import ArtifactMissing
from sparkle_dagster.defs.jobs import PRODUCTION_TAG, WORKSPACE_TAG
from sparkle_dagster.defs.retention import build_gc_job, build_gc_schedule, collect_garbage, in_flight
from sparkle_dagster.execution.retention import collect, set_hold
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import Project, make_project

DAY = 86400


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("SPARKLE_HOME", "SPARKLE_WORKSPACE", "SPARKLE_EXECUTOR", "SPARKLE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return make_project(tmp_path / "project")


def workspace_with(project: Project, retention: str) -> Workspace:
    project.edit("configs/tool_registry.yaml", "\nsettings:", f"\nsettings:\n  retention: {retention}")
    return load_workspace(project.root)


def commit(workspace: Workspace, key: str, text: str, *, age_days: float = 0) -> None:
    """One generation, of the age that the store's clock tells."""
    ref = workspace.store.put(io.BytesIO(text.encode()), "text/plain")
    result = {"audio_track": ref.model_dump(mode="json"), "source_names": {"audio": "voice.wav"}}
    made = workspace.store.commit(key, {"result": result, "record": {"provider": "pyav"}}, attempt_id=text)
    path = Path(workspace.registry.settings.store.root) / "ws/main/refs" / key / f"@{made.generation}"
    then = time.time() - age_days * DAY
    os.utime(path, (then, then))


def produce(workspace: Workspace, production: str, age_days: float) -> None:
    for asset in ("upload", "script", "assembled_video"):
        commit(workspace, f"{asset}/{production}", f"{asset} of {production}", age_days=age_days)


@pytest.mark.requirement("S38")
def test_old_productions_go_but_for_those_that_are_held_or_in_flight(project: Project) -> None:
    workspace = workspace_with(project, "{age_s: 30d, grace_s: 0}")
    for production in ("old-1", "held-1", "running-1"):
        produce(workspace, production, 40)
    produce(workspace, "new-1", 1)
    set_hold(workspace.store, "held-1", held=True, reason="the client asked", attempt_id="a")
    planned = collect(workspace, {"running-1": time.time() - 5}, dry_run=True)
    assert planned.productions == ("old-1",)
    assert workspace.store.generations("upload/old-1") == (1,)
    assert planned.protected == {"held-1": "held: the client asked", "running-1": "a run of it is in flight"}
    done = collect(workspace, {"running-1": time.time() - 5}, dry_run=False)
    assert done.gone == planned.gone
    assert {key.partition("/")[2] for key in workspace.store.keys("upload/")} == {"held-1", "running-1", "new-1"}
    set_hold(workspace.store, "held-1", held=False, reason="", attempt_id="b")
    assert collect(workspace, {}, dry_run=True).productions == ("held-1", "running-1")


def test_a_tombstone_says_how_to_make_it_again(project: Project) -> None:
    workspace = workspace_with(project, "{age_s: 30d, assets: {script: {age_s: 5d}}}")
    produce(workspace, "old-1", 40)
    produce(workspace, "half-1", 10)
    collect(workspace, {}, dry_run=False)
    with pytest.raises(ArtifactMissing, match=r"age_s keeps 30.0 days; make it again: sparkle run, .*voice.wav"):
        workspace.store.read("upload/old-1")
    with pytest.raises(ArtifactMissing, match="sparkle rerun half-1 --from script"):
        workspace.store.read("script/half-1")
    assert workspace.store.generations("upload/half-1") == (1,)


def test_bytes_that_a_run_in_flight_may_still_commit_stay(project: Project) -> None:
    workspace = workspace_with(project, "{grace_s: 0}")
    began = time.time() - 100
    ref = workspace.store.put(io.BytesIO(b"made by the run"), "text/plain")
    assert collect(workspace, {"running-1": began}, dry_run=False).blob_count == 0
    assert workspace.store.exists(ref)
    assert collect(workspace, {}, dry_run=False).blob_count == 1


def test_what_is_remembered_keeps_its_generation(project: Project) -> None:
    workspace = workspace_with(project, "{generations: 1, grace_s: 0}")
    for text in ("first", "second"):
        commit(workspace, "script/a-1", text)
    pointer = workspace.store.put(io.BytesIO(b'{"key": "script/a-1", "generation": 1}'), "application/json")
    workspace.store.name("memo/script/" + "0" * 64, pointer)
    collect(workspace, {}, dry_run=False)
    assert workspace.store.generations("script/a-1") == (1, 2)
    workspace.store.name("memo/script/" + "0" * 64, workspace.store.put(io.BytesIO(b"[]"), "application/json"))
    collect(workspace, {}, dry_run=False)
    assert workspace.store.generations("script/a-1") == (2,)


def test_the_inbox_and_what_dead_processes_left_are_covered(project: Project) -> None:
    workspace = workspace_with(project, "{inbox: {admitted_s: 10d, quarantine_s: 10d}}")
    old, then = ("admitted/old-1", "quarantine/bad-1"), time.time() - 11 * DAY
    for name in (*old, "admitted/new-1", "quarantine/bad-2"):
        folder = workspace.inbox / name
        folder.mkdir(parents=True)
        (folder / "voice.wav").write_bytes(b"x" * 100)
        if name in old:
            os.utime(folder, (then, then))
    workspace.store.put(io.BytesIO(b"1"), "text/plain")
    incoming = Path(workspace.registry.settings.store.root) / "ws/main/incoming"
    (incoming / "dead").write_bytes(b"half")
    told = {item.what: item.size_bytes for item in collect(workspace, {}, dry_run=False).gone}
    assert told == {"admitted/old-1": 100, "quarantine/bad-1": 100, "incoming/dead": 4}
    assert sorted(path.name for path in workspace.inbox.glob("*/*")) == ["bad-2", "new-1"]
    assert not (incoming / "dead").exists()


def a_run(
    instance: dg.DagsterInstance, production: str, status: dg.DagsterRunStatus, *, workspace: str = "main"
) -> str:
    @dg.job
    def nothing() -> None:
        """Does nothing."""

    tags = {PRODUCTION_TAG: production, WORKSPACE_TAG: workspace}
    return instance.create_run_for_job(nothing, tags=tags, status=status).run_id


def test_dagster_forgets_with_the_store(project: Project) -> None:
    workspace = workspace_with(project, "{age_s: 30d, runs_s: 1s}")
    produce(workspace, "old-1", 40)
    produce(workspace, "new-1", 1)
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("productions", ["old-1", "new-1"])
        success, failure = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
        of_old, of_new, failed = (
            a_run(instance, *run) for run in (("old-1", success), ("new-1", success), ("new-1", failure))
        )
        running = a_run(instance, "new-1", dg.DagsterRunStatus.STARTED)
        neighbours = [a_run(instance, "other-1", status, workspace="studio") for status in (success, failure)]
        assert set(in_flight(instance)) == {"new-1"}
        later = time.time() + 10
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sparkle_dagster.defs.retention.time.time", lambda: later)
            assert collect_garbage(workspace, instance, dry_run=True)[1] == 2
            assert collect_garbage(workspace, instance, dry_run=False)[1] == 2
        assert {run.run_id for run in instance.get_runs()} == {of_new, running, *neighbours}
        assert instance.get_dynamic_partitions("productions") == ["new-1"]
        assert {of_old, failed}.isdisjoint({run.run_id for run in instance.get_runs()})


def test_the_schedule_is_off_until_the_settings_turn_it_on(project: Project) -> None:
    job = build_gc_job()
    off = build_gc_schedule(load_workspace(project.root), job)
    on = build_gc_schedule(workspace_with(project, '{scheduled: true, cron: "5 4 * * *"}'), job)
    assert (off.default_status, on.default_status) == (
        dg.DefaultScheduleStatus.STOPPED,
        dg.DefaultScheduleStatus.RUNNING,
    )
    assert on.cron_schedule == "5 4 * * *"
