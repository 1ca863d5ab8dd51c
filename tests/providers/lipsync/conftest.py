"""A small portrait, a short voice and its phones; a request of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.lipsync import LipSyncRequest, LipSyncResult
from providers.lipsync.mouth_warp import MouthWarpProvider
from tests.providers.lipsync import makers


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return makers.write_voice(tmp_path / "voice.wav")


@pytest.fixture
def ask(put: Callable[[Path], ArtifactRef], voice: Path) -> Callable[..., LipSyncRequest]:
    """A request for a face file; fields by keyword."""

    def request(face: Path, **fields: Any) -> LipSyncRequest:
        return LipSyncRequest(
            **{"audio_track": put(voice), "video_stub": put(face), "script": makers.script(), **fields}
        )

    return request


@pytest.fixture
def animate(context: ProviderContext) -> Callable[..., LipSyncResult]:
    """Run the provider on a request; options by keyword. Photos stand still unless told to live."""

    def run(request: LipSyncRequest, **options: Any) -> LipSyncResult:
        still = {"sway": False, "breathing": False, "blinks": False}
        return MouthWarpProvider(MouthWarpProvider.Options(**{**still, **options}), context).run(request)

    return run
