"""Picture and sound stay together: a flash and a beep at the same moment come out at the same moment."""

from pathlib import Path

import numpy as np
import pytest

from contracts.production import DeliveryProfile
from providers._media.audio import read_audio
from providers.video.noop import NoOpVideoProvider
from providers.video.pyav import PyAVAssemblyProvider
from tests.providers.video.conftest import Assemble
from tests.providers.video.makers import brightness, lag_seconds, make_sound, make_video

FLASH_FRAME = 30
FPS = 25


@pytest.fixture
def beep(tmp_path: Path) -> Path:
    """Two seconds at 44.1 kHz with a beep of 40 ms when frame 30 is shown."""
    time = np.arange(88_200) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * time) * ((time >= 1.2) & (time < 1.24))
    return make_sound(tmp_path / "beep.wav", tone[None].astype(np.float32), 44_100)


@pytest.mark.parametrize("provider", [PyAVAssemblyProvider, NoOpVideoProvider])
@pytest.mark.parametrize(("codec", "side"), [("libx264", 1280), ("mpeg4", 1280), ("libx264", 32)])
def test_flash_and_beep_stay_together(
    assemble: Assemble, beep: Path, tmp_path: Path, provider: type, codec: str, side: int
) -> None:
    face = make_video(tmp_path / "flash.mp4", codec=codec, flash_at=FLASH_FRAME)
    profile = DeliveryProfile(preset="ultrafast", max_long_side=side)
    _, path = assemble(face, beep, provider=provider, profile=profile)
    assert int(brightness(path).argmax()) == FLASH_FRAME
    heard = np.abs(read_audio(path))
    begin = int((heard > heard.max() / 2).argmax()) / 16_000
    assert begin == pytest.approx(FLASH_FRAME / FPS, abs=0.005)
    assert abs(lag_seconds(beep, path)) < 0.002


def test_real_speech_stays_in_place(assemble: Assemble, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    _, path = assemble(samples / "presenter.png", samples / "voice.wav", profile=profile)
    assert abs(lag_seconds(samples / "voice.wav", path)) < 0.001
