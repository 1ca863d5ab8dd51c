"""Branches overlap under the executor that is chosen for them; a one-slot GPU lane is held across productions."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise

import dagster as dg
import pytest

from tests.pipeline.test_switches import two_seconds
from tests.project import Project

SECOND_REVIEW = """
  - id: loudness
    task: QAReviewTask
    inputs: {video: video.assembled_video, audio_track: upload.audio_track}
    outputs: [loudness_report]
"""


@dataclass(frozen=True)
class Step:
    start: float
    end: float

    def overlaps(self, other: "Step") -> bool:
        return self.start < other.end and other.start < self.end


def steps(instance: dg.DagsterInstance, run_id: str) -> dict[str, Step]:
    found: dict[str, Step] = {}
    for item in instance.get_run_step_stats(run_id):
        assert item.start_time is not None
        assert item.end_time is not None
        found[item.step_key] = Step(item.start_time, item.end_time)
    return found


@pytest.mark.requirement("S5", "S19", "S53")
def test_node_added_in_yaml_runs_beside_its_sibling(project: Project) -> None:
    workflow = project.root / "configs/pipeline/workflow.yaml"
    workflow.write_text(workflow.read_text().rstrip() + SECOND_REVIEW)
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
    answer = project.sparkle("run", voice, "--profile", "draft")
    assert "loudness_report" in project.materialized(answer["run_id"])
    with project.instance() as instance:
        made = steps(instance, answer["run_id"])
    assert made["qa_report"].overlaps(made["loudness_report"]), made


@pytest.mark.requirement("S44", "U3")
def test_three_productions_never_overlap_on_a_one_slot_gpu_lane(project: Project) -> None:
    workflow = project.root / "configs/pipeline/workflow.yaml"
    workflow.write_text(workflow.read_text().replace("lane: auto", "lane: gpu"))
    assert "lane: gpu" in workflow.read_text()
    project.sparkle("status")  # prepares the home once
    commands: list[subprocess.Popen[bytes]] = []
    for number in range(3):
        voice = two_seconds(project.root / "samples/voice_short.wav", project.root / f"voice{number}.wav")
        with voice.open("r+b") as stream:
            stream.seek(200 + number)
            stream.write(b"\1")  # another voice, by one sample
        command = [sys.executable, "-m", "sparkle_dagster.cli", "run", str(voice), "--profile", "draft", "--json"]
        commands.append(subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=subprocess.DEVNULL))
    assert [command.wait(timeout=240) for command in commands] == [0, 0, 0]
    with project.instance() as instance:
        runs = instance.get_runs()
        assert len(runs) == 3
        lipsync = [steps(instance, run.run_id)["aligned_video"] for run in runs]
        whole = [steps(instance, run.run_id)["upload"] for run in runs]
    lipsync.sort(key=lambda step: step.start)
    assert not any(first.overlaps(second) for first, second in pairwise(lipsync)), lipsync
    assert min(step.start for step in whole) < max(step.end for step in lipsync)
