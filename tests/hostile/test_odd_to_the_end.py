"""Odd but good files do not only come in: each becomes a finished video that decodes, as long as its voice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.base import least
from contracts.production import TaskResult
from contracts.upload import UploadResult
from contracts.video import VideoAssemblyResult
from providers._media.audio import read_audio
from providers._media.frames import read_frames
from providers._media.survey import survey
from sparkle_dagster.execution.intake import production_spec
from sparkle_dagster.workflow.bind import bind
from tests.hostile.door import Door
from tests.hostile.test_odd_but_good import FACES, VOICES
from tests.media import make_tone

pytestmark = pytest.mark.system  # two minutes of processor time
ONE_FRAME_SECONDS = 0.041
DRAFT = b"profile: draft\n"


def results_of(upload: UploadResult, door: Door) -> dict[str, TaskResult]:
    """Every node of the workflow, each in a provider's process; by node id."""
    workspace = door.workspace
    production = production_spec(upload, "talk-0", workspace)
    results: dict[str, TaskResult] = {}
    for node in workspace.workflow.nodes:
        document = bind(node, upload, results)
        document["production"] = production
        document["input_fidelity"] = least(*(result.fidelity for result in (upload, *results.values())))
        request = node.task.request_type.parse(document)
        results[node.id] = workspace.registry.resolve(node.capability).run(request)
    return results


def check_finished(upload: UploadResult, door: Door, folder: Path) -> None:
    video = results_of(upload, door)["video"]
    assert isinstance(video, VideoAssemblyResult)
    path = folder / "finished.mp4"
    with door.workspace.store.open(video.assembled_video) as stream:
        path.write_bytes(stream.read())
    info = survey(path)
    assert (info.kind, info.video is not None, info.audio is not None) == ("video", True, True)
    voice = upload.audio_track.media
    assert voice is not None
    assert voice.audio is not None
    assert info.audio is not None
    assert abs(info.audio.duration_seconds - voice.audio.duration_seconds) <= ONE_FRAME_SECONDS
    assert sum(1 for _ in read_frames(path)) >= 1
    assert read_audio(path).size > 0


@pytest.mark.parametrize("name", VOICES)
def test_voice_becomes_a_video(name: str, door: Door, tmp_path: Path) -> None:
    path = VOICES[name][0](tmp_path)
    check_finished(door.drop({f"talk{path.suffix}": path, "talk.yaml": DRAFT}), door, tmp_path)


@pytest.mark.parametrize("name", FACES)
def test_face_becomes_a_video(name: str, door: Door, tmp_path: Path) -> None:
    make: Callable[[Path], Path] = FACES[name][0]
    path = make(tmp_path)
    voice = make_tone(tmp_path / "voice.wav", seconds=0.3)
    files = {"talk.wav": voice, f"talk{path.suffix}": path, "talk.yaml": DRAFT}
    check_finished(door.drop(files), door, tmp_path)
