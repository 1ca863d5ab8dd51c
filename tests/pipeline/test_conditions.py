"""`when` and `skip_if` in whole productions: the no-op runs in the node's place, and everybody is told why."""

from pathlib import Path

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import SOURCE, Project

REASON = "skip_if 'no-lipsync' in upload.tags is true: upload.tags is ['no-lipsync']"


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With the workflow as it is shipped."""
    project = make_cheap_project(tmp_path_factory.mktemp("conditions") / "project")
    name = "configs/pipeline/workflow.yaml"
    (project.root / name).write_text((SOURCE / name).read_text())
    return project


@pytest.fixture(scope="module")
def tagged(cheap: Project) -> str:
    voice = second_of_sound(cheap.root / "tagged.wav", 1)
    answer = cheap.sparkle("run", voice, "--tag", "no-lipsync")
    assert answer["success"]
    production: str = answer["production"]
    return production


@pytest.mark.requirement("S18")
def test_node_that_is_skipped_hands_on_what_it_got_and_says_why(cheap: Project, tagged: str) -> None:
    nodes = {node["node_id"]: node for node in cheap.sparkle("show", tagged)["nodes"]}
    lipsync = nodes["lipsync"]
    assert (lipsync["status"], lipsync["provider"]) == ("passed_through", "noop")
    assert lipsync["reason"] == REASON
    assert lipsync["trace"][0] == {"provider": "mouth", "outcome": "disabled", "reason": REASON}
    upload = cheap.result("upload", tagged)
    assert cheap.result("aligned_video", tagged)["aligned_video"]["checksum"] == upload["video_stub"]["checksum"]
    assert nodes["video"]["status"] == "succeeded", "what follows runs"


@pytest.mark.requirement("S18")
def test_reason_stands_in_record_log_metadata_command_and_page(cheap: Project, tagged: str, tmp_path: Path) -> None:
    record = cheap.store.read(f"aligned_video/{tagged}").document["record"]
    assert (record["reason"], record["conditions_met"]) == (REASON, False)
    log = "".join(path.read_text() for path in (cheap.home / "logs").glob(f"{tagged}-*.log"))
    assert f"lipsync is turned off: {REASON}" in log
    events = "".join(path.read_text() for path in (cheap.home / "events/spool").glob("*.jsonl"))
    assert REASON in events
    assert REASON in cheap.command("status", tagged).stdout
    page = cheap.sparkle("export", tagged, "--to", tmp_path / "out")["report.html"]
    assert "no-lipsync" in Path(page).read_text()
    with cheap.instance() as instance:
        event = instance.get_latest_materialization_event(_key("aligned_video"))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["reason"].value == REASON


def test_next_command_of_a_plan_is_what_was_planned(cheap: Project, tagged: str) -> None:
    shown = cheap.command("plan", tagged, "--from", "video", "--force", "--disable", "qa").stdout
    assert f"sparkle rerun {tagged} --from video --force --disable qa\n" in shown
    shown = cheap.command("plan", tagged, "--disable", "qa").stdout
    assert f"sparkle rerun {tagged} --from qa --disable qa\n" in shown
    assert "sparkle" not in cheap.command("plan", tagged).stdout, "nothing is to be done"


@pytest.mark.requirement("S4")
def test_each_place_of_a_lineage_is_told_once_down_to_the_files_that_came_in(cheap: Project, tagged: str) -> None:
    upload, video = cheap.result("upload", tagged), cheap.result("assembled_video", tagged)["assembled_video"]
    shown = cheap.command("why", video["checksum"].removeprefix("sha256:")).stdout
    assert shown.count(f"upload/{tagged}@1 ") == 3, "read by the script, by lip-sync and by the video"
    assert shown.count(f"upload/{tagged}@1  as above") == 2
    assert f"audio_track {upload['audio_track']['checksum'].removeprefix('sha256:')[:16]}" in shown


def test_condition_that_lets_the_node_run_is_told_as_well(cheap: Project, tagged: str) -> None:
    record = cheap.store.read(f"qa_report/{tagged}").document["record"]
    assert record["reason"] == "when production.profile != 'draft' is true: production.profile is 'web'"
    assert record["conditions_met"]


def test_draft_is_not_reviewed_and_never_approved(cheap: Project) -> None:
    voice = second_of_sound(cheap.root / "draft.wav", 2)
    answer = cheap.sparkle("run", voice, "--profile", "draft")
    summary = cheap.sparkle("show", answer["production"])
    nodes = {node["node_id"]: node for node in summary["nodes"]}
    assert nodes["qa"]["status"] == "passed_through"
    assert nodes["lipsync"]["status"] == "succeeded"
    assert summary["verdict"] == "not_reviewed"


@pytest.mark.requirement("S18")
def test_condition_with_a_typo_stops_validate_with_file_and_line(project: Project) -> None:
    project.edit("configs/pipeline/workflow.yaml", "in upload.tags", "in upload.tag")
    done = project.command("validate")
    assert done.returncode == 1
    assert "configs/pipeline/workflow.yaml:" in done.stderr
    assert "upload has no field 'tag'; did you mean 'tags'?" in done.stderr


def _key(asset: str):
    import dagster as dg

    return dg.AssetKey(asset)
