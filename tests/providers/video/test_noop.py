"""The no-op: what came in, in one file that plays."""

from pathlib import Path

import numpy as np
import pytest

from contracts.base import Fidelity
from contracts.production import DeliveryProfile
from providers._media.frames import read_frames
from providers._media.loudness import measure
from providers._media.probe import probe
from providers.video.noop import NoOpVideoProvider
from tests.providers.video.conftest import Assemble
from tests.providers.video.makers import make_sound, make_video, speechlike, turned


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return make_sound(tmp_path / "voice.wav", speechlike(2.0, level=0.02)[None])


def test_a_video_is_copied_and_the_sound_keeps_its_level(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", size=(160, 96), pixel_format="yuv444p")
    profile = DeliveryProfile(max_long_side=64)
    result, path = assemble(face, sound, provider=NoOpVideoProvider, profile=profile, title="Ignored on the picture")
    assert result.fidelity is Fidelity.PASSTHROUGH
    assert result.metrics.video_copied
    for before, after in zip(read_frames(face), read_frames(path), strict=True):
        assert np.array_equal(before.bgr, after.bgr)
    loudness = measure(sound).integrated_lufs
    assert loudness is not None
    assert result.metrics.loudness_lufs == pytest.approx(loudness, abs=0.3)


def test_a_turned_video_stays_turned(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = turned(make_video(tmp_path / "face.mp4", size=(96, 48)))
    before = probe(face).video
    result, path = assemble(face, sound, provider=NoOpVideoProvider)
    after = probe(path).video
    assert before is not None
    assert after is not None
    assert (after.width, after.height) == (before.width, before.height) == (48, 96)
    assert (result.metrics.width, result.metrics.height) == (48, 96)


def test_times_of_a_varying_rate_are_kept(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "vfr.mp4", times=[0, 40, 120, 160, 300, 340, 1000, 1900])
    _, path = assemble(face, sound, provider=NoOpVideoProvider)
    found = [frame.time_seconds for frame in read_frames(path)]
    assert found == pytest.approx([frame.time_seconds for frame in read_frames(face)], abs=0.001)


def test_a_picture_becomes_a_video_of_the_sounds_length(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    result, path = assemble(samples / "presenter.png", sound, provider=NoOpVideoProvider, profile=profile)
    info = probe(path)
    assert result.fidelity is Fidelity.PASSTHROUGH
    assert info.video is not None
    assert info.video.duration_seconds == pytest.approx(2.0, abs=0.04)
    assert info.decode_errors == 0


@pytest.mark.parametrize("suffix", [".avi", ".mpg"])
def test_what_an_mp4_cannot_show_is_encoded(assemble: Assemble, sound: Path, tmp_path: Path, suffix: str) -> None:
    codec = {".avi": "mpeg4", ".mpg": "mpeg2video"}[suffix]
    face = make_video(tmp_path / f"face{suffix}", codec=codec)
    result, path = assemble(face, sound, provider=NoOpVideoProvider)
    info = probe(path)
    assert not result.metrics.video_copied
    assert info.video is not None
    assert info.video.codec == "h264"
    assert info.decode_errors == 0


def test_a_longer_video_ends_with_the_sound_where_copying_can_cut(
    assemble: Assemble, sound: Path, tmp_path: Path
) -> None:
    face = make_video(tmp_path / "face.mp4", count=100, options={"bf": "0"})
    result, _ = assemble(face, sound, provider=NoOpVideoProvider)
    assert result.metrics.video_copied
    assert result.metrics.frame_count == 50
