"""How runs end badly: what is said, what is kept, how they are stopped."""

import subprocess
import sys
import time

import pytest

from tests.pipeline.test_switches import two_seconds
from tests.project import Project

SLEEPER = """
import time
from contracts.tasks import QAReviewTask


class Sleeper(QAReviewTask):
    def run(self, request):
        time.sleep(600)
"""


@pytest.mark.requirement("S45")
def test_sound_that_is_none_is_refused_in_words_and_nothing_is_kept(project: Project) -> None:
    bad = project.root / "talk.wav"
    bad.write_text("not a sound")
    done = project.command("run", bad)
    assert done.returncode == 1
    assert "upload" in done.stderr
    assert "the audio cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.store.keys("upload/") == ()


def _with_sleeper(project: Project) -> None:
    (project.root / "sleeper.py").write_text(SLEEPER)
    project.edit("configs/tool_registry.yaml", "providers: [signal]", "providers: [sleeper]")
    project.edit(
        "configs/tool_registry.yaml", "\n  lipsync:\n", '\n  qa: {sleeper: {use: "sleeper:Sleeper"}}\n  lipsync:\n'
    )


@pytest.mark.requirement("S17", "X11")
def test_node_that_takes_too_long_is_named_with_the_next_command(project: Project) -> None:
    _with_sleeper(project)
    workflow = project.root / "configs/pipeline/workflow.yaml"
    workflow.write_text(workflow.read_text().rstrip() + "\n    timeout: 2s\n")
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
    done = project.command("run", voice, "--profile", "draft")
    assert done.returncode == 1
    assert "qa (sleeper) failed: ProviderTimeout" in done.stderr
    (production,) = [key.removeprefix("upload/") for key in project.store.keys("upload/")]
    assert f"sparkle rerun {production} --from qa" in done.stderr
    nodes = {node["node_id"]: node for node in project.sparkle("status", production)["nodes"]}
    assert nodes["video"]["status"] == "succeeded"
    assert nodes["qa"]["status"] == "failed"
    assert "report" not in project.generations(production)


@pytest.mark.requirement("X12")
def test_cancelled_run_stops_at_once_and_keeps_what_was_made(project: Project) -> None:
    _with_sleeper(project)
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
    command = [sys.executable, "-m", "sparkle_dagster.cli", "run", str(voice), "--profile", "draft"]
    running = subprocess.Popen(
        command, cwd=project.root, env=project.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    progress = project.home / "progress"
    deadline = time.monotonic() + 120
    while not list(progress.glob("*/qa.json")):
        assert time.monotonic() < deadline, "the review never started"
        time.sleep(0.2)
    (production,) = [path.name for path in progress.iterdir()]
    assert len(project.sparkle("cancel", production)["cancelled"]) == 1
    assert running.wait(timeout=60) != 0
    nodes = {node["node_id"]: node["status"] for node in project.sparkle("status", production)["nodes"]}
    assert nodes["video"] == "succeeded"
    assert nodes["qa"] == "cancelled"
    assert not list(progress.glob("*/qa.json"))
