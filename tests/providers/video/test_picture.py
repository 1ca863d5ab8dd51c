"""The delivered picture: copied where it may stay as it is, encoded once where not, always constant and in time."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from contracts.artifacts import VideoInfo
from contracts.production import DeliveryProfile
from providers._media.probe import probe
from providers.video._clips import read_coded
from providers.video._picture import copied
from tests.providers.video.conftest import Assemble
from tests.providers.video.makers import brightness, make_sound, make_video, speechlike, turned


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two seconds."""
    return make_sound(tmp_path / "voice.wav", speechlike(2.0)[None])


def video_of(path: Path) -> VideoInfo:
    """Facts, after checking what every delivered video must be."""
    info = probe(path)
    assert info.video is not None
    assert info.audio is not None
    assert info.decode_errors == 0
    assert info.faststart
    assert info.video.codec == "h264"
    assert info.video.pixel_format == "yuv420p"
    assert not info.video.variable_frame_rate
    assert info.video.width % 2 == info.video.height % 2 == 0
    assert info.video.start_seconds == pytest.approx(0, abs=0.001)
    assert abs(info.video.duration_seconds - 2.0) <= 1 / info.video.fps + 0.001
    return info.video


def pictures(path: Path) -> list[npt.NDArray[np.uint8]]:
    from providers._media.frames import read_frames

    return [frame.bgr for frame in read_frames(path)]


# -- copied --


def test_a_stream_that_may_stay_is_copied_bit_by_bit(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", count=50)
    result, path = assemble(face, sound)
    assert result.metrics.video_copied
    assert result.notes == ()
    assert np.array_equal(pictures(path), pictures(face))
    assert video_of(path).frame_count == result.metrics.frame_count == 50


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30), Fraction(60)])
def test_the_rate_of_a_copy_is_kept(assemble: Assemble, sound: Path, tmp_path: Path, fps: Fraction) -> None:
    face = make_video(tmp_path / "face.mp4", fps=fps, count=round(2 * fps))
    result, path = assemble(face, sound)
    assert result.metrics.video_copied
    assert video_of(path).fps == pytest.approx(float(fps), abs=0.001)


def test_a_longer_stream_is_cut_by_copying_where_no_frame_needs_a_later_one(
    assemble: Assemble, sound: Path, tmp_path: Path
) -> None:
    face = make_video(tmp_path / "face.mp4", count=80, options={"bf": "0"})
    result, path = assemble(face, sound)
    assert result.metrics.video_copied
    assert "1.2 s longer" in result.notes[0]
    assert video_of(path).frame_count == 50


def test_a_longer_stream_is_encoded_where_frames_on_both_sides_need_each_other(
    assemble: Assemble, sound: Path, tmp_path: Path
) -> None:
    face = make_video(
        tmp_path / "face.mp4",
        size=(320, 240),
        count=80,
        options={"preset": "medium", "x264-params": "b-adapt=0:scenecut=0"},
    )
    counts = {count for count in range(1, 80) if read_coded(face).packets_before(count / 25) == count}
    assert 50 not in counts  # else this test shows nothing
    assert len(counts) > 10
    result, path = assemble(face, sound)
    assert not result.metrics.video_copied
    assert video_of(path).frame_count == 50
    assert np.abs(brightness(path) - brightness(face)[:50]).max() < 2


def test_each_reason_against_copying_counts(tmp_path: Path) -> None:
    coded = read_coded(make_video(tmp_path / "face.mp4"))
    assert copied(coded, DeliveryProfile(), 2.0) is not None
    against: list[dict[str, Any]] = [
        {"codec": "hevc"},
        {"pixel_format": "yuv422p"},
        {"is_full_range": True},
        {"has_square_pixels": False},
        {"rotation_degrees": 180},
        {"width": 65},
        {"height": 1282},
        {"starts_cleanly": False},
        {"pts": tuple(number * number for number in range(50))},
        {"pts": ()},
    ]
    for change in against:
        assert copied(replace(coded, **change), DeliveryProfile(), 2.0) is None, change


# -- encoded --


def _unfit(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    yield "rotation", turned(make_video(tmp_path / "turned.mp4"))
    yield "ten bits", make_video(tmp_path / "deep.mp4", pixel_format="yuv420p10le")
    yield "full chroma", make_video(tmp_path / "chroma.mp4", pixel_format="yuv444p")
    yield "full range", make_video(tmp_path / "range.mp4", pixel_format="yuvj420p")
    yield "odd size", make_video(tmp_path / "odd.mp4", size=(63, 47), pixel_format="yuv444p")
    yield "codec", make_video(tmp_path / "mpeg4.mp4", codec="mpeg4")
    yield "too large", make_video(tmp_path / "large.mp4", size=(160, 96))
    yield "too fast", make_video(tmp_path / "fast.mp4", fps=120, count=240)


def test_what_may_not_stay_is_encoded_and_looks_the_same(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", crf=12, max_long_side=128)
    for name, face in _unfit(tmp_path):
        result, path = assemble(face, sound, profile=profile)
        video = video_of(path)
        assert not result.metrics.video_copied, name
        assert max(video.width, video.height) <= 128, name
        before, after = brightness(face), brightness(path)
        shown = [min(round(number / video.fps * before.size / 2), before.size - 1) for number in range(after.size)]
        assert np.abs(after - before[shown]).mean() < 2, name


def test_damage_is_not_handed_on(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", size=(320, 240))
    data = bytearray(face.read_bytes())
    middle = data.index(b"mdat") + 4000
    data[middle : middle + 300] = b"\xff" * 300
    face.write_bytes(data)
    assert probe(face).decode_errors > 0
    result, path = assemble(face, sound)
    assert not result.metrics.video_copied
    assert video_of(path).frame_count == 50


def test_a_turned_recording_comes_out_upright(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    _, path = assemble(turned(make_video(tmp_path / "turned.mp4", size=(96, 48))), sound)
    video = video_of(path)
    assert (video.width, video.height, video.rotation_degrees) == (48, 96, 0)
    first = pictures(path)[0].astype(float)
    down, across = first[80:].mean() - first[:16].mean(), first[:, 40:].mean() - first[:, :8].mean()
    assert abs(down) > 60 > 5 > abs(across)  # the ramp that ran left to right now runs along the height


def test_a_varying_rate_becomes_constant_without_drifting(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    times = np.cumsum([0] + [33, 34, 66, 33, 17] * 11)[:55]
    assert 1900 < times[-1] < 2100
    flash = 40
    face = make_video(tmp_path / "vfr.mp4", times=times.tolist(), flash_at=flash)
    result, path = assemble(face, sound)
    assert not result.metrics.video_copied
    video = video_of(path)
    assert video.fps == pytest.approx(29.97)  # the next standard rate above the mean, 27.3
    brightest = int(brightness(path).argmax()) / video.fps
    assert abs(brightest - times[flash] / 1000) <= 1 / video.fps


def test_a_shorter_picture_holds_its_last_frame(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", count=20)
    result, path = assemble(face, sound)
    found = brightness(path)
    assert video_of(path).frame_count == 50
    assert "ended 1.2 s before" in result.notes[0]
    assert np.abs(found[20:] - found[19]).max() < 2
    assert found[19] - found[0] > 10


def test_equal_requests_give_equal_bytes(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", pixel_format="yuv444p")
    assert assemble(face, sound)[0] == assemble(face, sound)[0]


# -- a still --


def test_a_still_is_shown_for_the_sounds_length(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=180, fps=24)
    result, path = assemble(samples / "presenter.png", sound, profile=profile)
    video = video_of(path)
    assert (video.width, video.height, video.fps, video.frame_count) == (180, 180, 24, 48)
    frames = np.array(pictures(path), np.float32)
    shown = np.asarray(Image.open(samples / "presenter.png").convert("RGB").resize((180, 180)), np.float32)[:, :, ::-1]
    assert np.abs(frames[0] - shown).mean() < 4
    assert np.abs(frames - frames[0]).mean(axis=(1, 2, 3)).max() < 2
    assert result.metrics.fps == 24


def test_a_long_still_is_encoded_once_and_repeated(assemble: Assemble, samples: Path, tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "long.wav", speechlike(33.0, rate_hz=8_000)[None], 8_000)
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    _, path = assemble(samples / "presenter.png", sound, profile=profile, title="Long")
    info = probe(path)
    assert info.decode_errors == 0
    assert info.video is not None
    assert info.video.frame_count == 825
    assert info.video.duration_seconds == pytest.approx(33.0, abs=0.001)
    assert not info.video.variable_frame_rate
    later = brightness(path)[80:]  # after the title
    assert later.max() - later.min() < 2


def test_an_odd_still_gets_an_even_size(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    Image.new("RGB", (101, 67), (200, 60, 40)).save(tmp_path / "odd.png")
    result, path = assemble(tmp_path / "odd.png", sound)
    video = video_of(path)
    assert (video.width, video.height) == (result.metrics.width, result.metrics.height) == (102, 68)
    assert np.abs(pictures(path)[10].mean(axis=(0, 1)) - (40, 60, 200)).max() < 4
