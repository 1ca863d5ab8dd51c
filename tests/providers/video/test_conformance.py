"""Both video providers pass the conformance kit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.video import VideoAssemblyRequest
from providers.video.noop import NoOpVideoProvider
from providers.video.pyav import PyAVAssemblyProvider
from sparkle_dagster.conformance.pytest_cases import NoOpCases, ProviderCases
from tests.providers.video.makers import make_sound, make_video, speechlike


class _VideoRequests:
    @pytest.fixture
    def good_request(self, put: Callable[[Path], ArtifactRef], tmp_path: Path) -> VideoAssemblyRequest:
        sound = make_sound(tmp_path / "voice.wav", speechlike(1.0)[None])
        return VideoAssemblyRequest(
            aligned_video=put(make_video(tmp_path / "face.mp4", count=30)), audio_track=put(sound), title="A title"
        )

    @pytest.fixture
    def bad_requests(
        self, put: Callable[[Path], ArtifactRef], samples: Path, broken: Path, tmp_path: Path
    ) -> dict[str, VideoAssemblyRequest]:
        voice, face = put(samples / "voice_short.wav"), put(samples / "presenter.png")
        empty = tmp_path / "empty.wav"
        empty.write_bytes(b"")
        return {
            "broken sound": VideoAssemblyRequest(aligned_video=face, audio_track=put(broken)),
            "empty sound": VideoAssemblyRequest(aligned_video=face, audio_track=put(empty)),
            "text as sound": VideoAssemblyRequest(aligned_video=face, audio_track=put(samples / "voice.txt")),
            "a picture as sound": VideoAssemblyRequest(aligned_video=face, audio_track=face),
            "broken picture": VideoAssemblyRequest(aligned_video=put(broken), audio_track=voice),
            "sound as picture": VideoAssemblyRequest(aligned_video=voice, audio_track=voice),
        }


@pytest.mark.requirement("S1", "S12")
class TestPyAVAssembly(_VideoRequests, ProviderCases):
    provider = PyAVAssemblyProvider


@pytest.mark.requirement("S12", "S52")
class TestNoOpVideo(_VideoRequests, NoOpCases):
    provider = NoOpVideoProvider
