"""Both providers keep the promises that all providers make."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.lipsync import LipSyncRequest
from contracts.tasks import LipSyncTask
from providers.lipsync.mouth_warp import MouthWarpProvider
from providers.lipsync.noop import NoOpLipSyncProvider
from sparkle_dagster.conformance.pytest_cases import NoOpCases, ProviderCases
from tests.providers.lipsync.makers import portrait, write_film, write_picture

Put = Callable[[Path], ArtifactRef]
Ask = Callable[..., LipSyncRequest]


class _BadMedia:
    @pytest.fixture
    def bad_requests(self, ask: Ask, put: Put, voice: Path, broken: Path, samples: Path) -> dict[str, LipSyncRequest]:
        face = samples / "presenter.png"
        return {
            "noise as a voice": ask(face, audio_track=put(broken)),
            "noise as a face": ask(broken),
            "a sound as a face": ask(voice),
            "a text as a face": ask(samples / "voice.txt"),
            "a picture as a voice": ask(face, audio_track=put(face)),
        }


@pytest.mark.requirement("S1", "S12")
class TestMouthWarpOnAPhoto(_BadMedia, ProviderCases):
    provider: type[LipSyncTask] = MouthWarpProvider

    @pytest.fixture
    def good_request(self, ask: Ask, samples: Path, tmp_path: Path) -> LipSyncRequest:
        return ask(write_picture(tmp_path / "face.png", portrait(samples, 384)))


@pytest.mark.requirement("S1", "S12")
class TestMouthWarpOnAVideo(_BadMedia, ProviderCases):
    provider: type[LipSyncTask] = MouthWarpProvider

    @pytest.fixture
    def good_request(self, ask: Ask, samples: Path, tmp_path: Path) -> LipSyncRequest:
        return ask(write_film(tmp_path / "film.mp4", [portrait(samples, 384)] * 12))


@pytest.mark.requirement("S12", "S52")
class TestNoOp(NoOpCases):
    provider: type[LipSyncTask] = NoOpLipSyncProvider

    @pytest.fixture
    def good_request(self, ask: Ask, samples: Path) -> LipSyncRequest:
        return ask(samples / "presenter.png")

    @pytest.fixture
    def bad_requests(self) -> dict[str, LipSyncRequest]:
        return {}

    def test_hands_on_the_same_artifacts(self, good_request: LipSyncRequest, result: object) -> None:
        assert result.aligned_video == good_request.video_stub  # type: ignore[attr-defined]
        assert result.audio_track == good_request.audio_track  # type: ignore[attr-defined]
