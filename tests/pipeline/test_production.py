"""A voice and a face become a finished, honest production; parts of it are made again without touching others."""

import json
import re

import pytest

from contracts.artifacts import ArtifactRef
from contracts.qa import QAReviewResult
from tests.pipeline.conftest import Made

ONE_FRAME_SECONDS = 1 / 25


@pytest.mark.requirement("S10", "S11", "S47", "U4")
def test_every_asset_is_committed_and_says_what_it_is(made: Made) -> None:
    assert set(made.project.generations(made.key)) == {
        "upload",
        "script",
        "aligned_video",
        "assembled_video",
        "qa_report",
        "report",
    }
    summary = made.project.sparkle("show", made.key)
    assert {node["node_id"]: node["provider"] for node in summary["nodes"]} == {
        "upload": "intake",
        "script": "transcript",
        "lipsync": "mouth_warp",
        "video": "pyav",
        "qa": "signal",
    }
    assert summary["fidelity"] == "real"
    assert summary["verdict"] in {"approve", "review"}, summary


@pytest.mark.requirement("X14", "X15")
def test_video_is_as_long_as_the_voice_and_carries_captions(made: Made) -> None:
    video = made.project.result("assembled_video", made.key)
    info = ArtifactRef.parse(video["assembled_video"]).media
    voice = ArtifactRef.parse(made.project.result("upload", made.key)["audio_track"]).media
    assert info is not None
    assert voice is not None
    assert info.video is not None
    assert info.audio is not None
    assert voice.audio is not None
    assert abs(info.video.duration_seconds - voice.audio.duration_seconds) <= ONE_FRAME_SECONDS
    assert info.subtitle_codecs == ("mov_text",)
    assert info.faststart is True
    assert info.tags["synthetic"] == "true"
    assert made.key in json.dumps(info.tags)


@pytest.mark.requirement("S9")
def test_mouth_moves_as_told(made: Made) -> None:
    review = QAReviewResult.parse(made.project.result("qa_report", made.key))
    assert review.metrics.mouth_correlation is not None
    assert review.metrics.mouth_correlation >= 0.8


@pytest.mark.requirement("S47")
def test_page_asks_no_server_for_anything(made: Made) -> None:
    files = made.project.sparkle("export", made.key, "--to", made.project.root / "out")
    page = (made.project.root / "out/report.html").read_text()
    assert set(files) >= {"video.mp4", "captions.srt", "captions.vtt", "report.html", "summary.json"}
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']""", page)
    assert "cold hearted" in page
    assert f"sparkle rerun {made.key}" in page


@pytest.mark.requirement("S1", "S5", "S62", "U6")
def test_rerun_of_one_node_touches_nothing_else(made: Made) -> None:
    before = made.project.generations(made.key)
    answer = made.project.sparkle("rerun", made.key, "--only", "qa")
    assert made.project.materialized(answer["run_id"]) == ["qa_report"]
    after = made.project.generations(made.key)
    assert {asset for asset in after if after[asset] != before[asset]} == {"qa_report"}


@pytest.mark.requirement("S5", "S8", "S62")
def test_rerun_from_a_node_makes_what_follows(made: Made) -> None:
    answer = made.project.sparkle("rerun", made.key, "--from", "video")
    assert made.project.materialized(answer["run_id"]) == ["assembled_video", "qa_report", "report"]


def test_same_request_gives_the_same_bytes(made: Made) -> None:
    before = made.project.result("aligned_video", made.key)["aligned_video"]["checksum"]
    made.project.sparkle("rerun", made.key, "--only", "lipsync", "--force")
    assert made.project.store.read(f"aligned_video/{made.key}").document["record"]["status"] == "succeeded"
    assert made.project.result("aligned_video", made.key)["aligned_video"]["checksum"] == before


@pytest.mark.requirement("U7")
def test_same_files_under_another_name_start_nothing(made: Made) -> None:
    samples = made.project.root / "samples"
    renamed = samples / "renamed.wav"
    renamed.write_bytes((samples / "voice_short.wav").read_bytes())
    assert made.project.sparkle("run", renamed) == {"production": made.key, "started": False}


@pytest.mark.parametrize("switch", ["lipsync=mouth_wrap", "qa=pyav", "upload=signal", "lips=mouth_warp"])
def test_switch_to_what_does_not_exist_starts_no_run(made: Made, switch: str) -> None:
    with made.project.instance() as instance:
        before = instance.get_runs_count()
    done = made.project.command("rerun", made.key, "--from", "lipsync", "--provider", switch)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    known = {"lipsync": "mouth_warp", "qa": "signal"}.get(switch.split("=")[0], "script, lipsync, video, qa")
    assert known in done.stderr
    with made.project.instance() as instance:
        assert instance.get_runs_count() == before


def test_unknown_production_is_named_with_what_is_known(made: Made) -> None:
    done = made.project.command("rerun", "nobody-0000000000000000", "--only", "qa")
    assert done.returncode == 1
    assert made.key in done.stderr
    assert "Traceback" not in done.stderr
