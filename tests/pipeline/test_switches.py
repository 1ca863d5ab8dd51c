"""Every capability can be turned off in one line: the run finishes, labelled, with the sound intact, never approved."""

import wave
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from tests.media import make_moving_portrait
from tests.project import Project

CAPABILITIES = ("script", "lipsync", "video", "qa")


def two_seconds(source: Path, target: Path) -> Path:
    """The first two seconds of a WAV file."""
    with wave.open(str(source)) as whole, wave.open(str(target), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(2 * whole.getframerate()))
    return target


@pytest.mark.requirement("S1", "S33", "S52", "X10")
@pytest.mark.parametrize("face", ["photo", "video"])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_capability_turned_off_is_labelled_and_never_approved(project: Project, capability: str, face: str) -> None:
    project.edit("configs/tool_registry.yaml", f"{capability}: {{enabled: true", f"{capability}: {{enabled: false")
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
    picture = project.root / "samples/presenter.png"
    if face == "video":
        picture = make_moving_portrait(project.root / "clip.mp4", picture)
    answer = project.sparkle("run", voice, "--face", picture, "--profile", "draft")
    assert answer["success"]
    summary = project.sparkle("show", answer["production"])
    nodes = {node["node_id"]: node for node in summary["nodes"]}
    assert (nodes[capability]["provider"], nodes[capability]["status"]) == ("noop", "passed_through")
    assert summary["fidelity"] == "passthrough"
    assert summary["verdict"] == ("not_reviewed" if capability == "qa" else summary["verdict"]) != "approve"
    video = ArtifactRef.parse(project.result("assembled_video", answer["production"])["assembled_video"]).media
    assert video is not None
    assert video.audio is not None
    assert abs(video.audio.duration_seconds - 2.0) <= 0.05
    page = project.sparkle("export", answer["production"], "--to", project.root / "out")["report.html"]
    assert "passthrough" in Path(page).read_text()
