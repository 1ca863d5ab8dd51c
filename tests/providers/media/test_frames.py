"""Frames as a viewer sees them: upright, square pixels, at their times."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from contracts.errors import ProviderRejected
from providers._media.frames import read_frames
from providers._media.probe import probe
from tests.media import CORNERS, corner_colours, frame_number, make_tone, make_video, numbered_picture, truncate


def numbers(path: Path, fps: float | None = None) -> list[int]:
    return [frame_number(frame.bgr) for frame in read_frames(path, fps=fps)]


def test_every_frame_comes_once_in_order_with_its_time(tmp_path: Path) -> None:
    frames = list(read_frames(make_video(tmp_path / "x.mp4", seconds=1)))
    assert [frame_number(frame.bgr) for frame in frames] == list(range(25))
    assert [frame.index for frame in frames] == list(range(25))
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 25 for n in range(25)])
    assert frames[0].bgr.dtype == np.uint8
    assert frames[0].bgr.shape == (120, 160, 3)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_phone_rotation_and_mirror_are_applied(rotation: int, mirrored: bool, tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=0.2, rotation_degrees=rotation, mirrored=mirrored)
    frames = list(read_frames(path))
    assert frames[0].bgr.shape == (120, 160, 3)
    assert corner_colours(frames[0].bgr) == CORNERS
    assert [frame_number(frame.bgr) for frame in frames] == list(range(5))
    info = probe(path).video
    assert (info.width, info.height, info.rotation_degrees) == (160, 120, rotation)


def test_corners_tell_a_turned_picture() -> None:
    upright = numbered_picture(160, 120, 3)
    assert corner_colours(upright) == CORNERS
    assert corner_colours(np.rot90(upright)) != CORNERS
    assert corner_colours(upright[:, ::-1]) != CORNERS


@pytest.mark.parametrize(("aspect", "shown"), [(Fraction(4, 3), (213, 120)), (Fraction(1, 2), (80, 120))])
def test_anamorphic_pixels_become_square(aspect: Fraction, shown: tuple[int, int], tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=0.2, pixel_aspect=aspect)
    info = probe(path).video
    assert (info.width, info.height) == shown
    assert next(read_frames(path)).bgr.shape == (shown[1], shown[0], 3)


def test_pixel_aspect_is_applied_before_the_turn(tmp_path: Path) -> None:
    """Coded 120x160 after turning back; its width of 120 carries the aspect, then becomes the height."""
    path = make_video(tmp_path / "x.mp4", seconds=0.2, pixel_aspect=Fraction(3, 2), rotation_degrees=90)
    assert next(read_frames(path)).bgr.shape == (180, 160, 3)
    assert (probe(path).video.width, probe(path).video.height) == (160, 180)


def test_long_side_is_bounded_and_never_enlarged(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=0.1, rotation_degrees=90)
    assert next(read_frames(path, max_long_side=80)).bgr.shape == (60, 80, 3)
    assert next(read_frames(path, max_long_side=800)).bgr.shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("libx264", "yuv420p10le", (160, 120)),
        ("libx265", "yuv420p10le", (160, 120)),
        ("libx264", "yuv444p", (161, 121)),
        ("libvpx-vp9", "yuv420p", (161, 121)),
    ],
)
def test_ten_bits_and_odd_sizes_decode_to_eight_bit_bgr(
    codec: str, pixel_format: str, size: tuple[int, int], tmp_path: Path
) -> None:
    suffix = ".webm" if "vpx" in codec else ".mp4"
    path = make_video(
        tmp_path / f"x{suffix}", seconds=0.2, codec=codec, pixel_format=pixel_format, width=size[0], height=size[1]
    )
    frame = next(read_frames(path))
    assert frame.bgr.dtype == np.uint8
    assert frame.bgr.shape == (size[1], size[0], 3)
    assert corner_colours(frame.bgr) == CORNERS


def test_variable_rate_keeps_the_files_own_times(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 0.2, 0.24, 0.52, 0.56]
    path = make_video(tmp_path / "x.mp4", times_seconds=times)
    assert [frame.time_seconds for frame in read_frames(path)] == pytest.approx(times, abs=1e-4)
    info = probe(path).video
    assert info.variable_frame_rate
    assert info.frame_count == len(times)
    assert info.duration_seconds == pytest.approx(0.6, abs=1e-3)


def test_variable_rate_resampled_shows_what_was_on_screen(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", times_seconds=[0, 0.04, 0.08, 0.2, 0.24, 0.52, 0.56])
    frames = list(read_frames(path, fps=25))
    assert [frame_number(frame.bgr) for frame in frames] == [0, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 5, 6]
    assert [frame.time_seconds for frame in frames] == pytest.approx([n / 25 for n in range(15)])


@pytest.mark.parametrize(
    ("source_fps", "fps", "expected"),
    [
        (25, 25, list(range(25))),
        (30, 30, list(range(30))),
        (50, 25, [0, *range(2, 50, 2)]),
        (12.5, 25, [n // 2 for n in range(24)]),
    ],
)
def test_resampling_drops_or_repeats_evenly(source_fps: float, fps: float, expected: list[int], tmp_path: Path) -> None:
    seconds = 0.96 if source_fps == 12.5 else 1.0
    assert numbers(make_video(tmp_path / "x.mp4", seconds=seconds, fps=source_fps), fps) == expected


def test_times_rounded_to_milliseconds_lose_no_frame(tmp_path: Path) -> None:
    """WebM keeps milliseconds: 30 frames a second come at 0, 33, 67 ms."""
    path = make_video(tmp_path / "x.webm", codec="libvpx-vp9", fps=30)
    assert numbers(path, 30) == list(range(30))
    assert not probe(path).video.variable_frame_rate
    assert probe(path).video.fps == pytest.approx(30, abs=0.01)


def test_resampled_length_is_the_videos_length(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=2, fps=30000 / 1001)
    duration = probe(path).video.duration_seconds
    assert len(list(read_frames(path, fps=25))) == round(duration * 25)


def test_late_start_is_told_and_frames_begin_at_zero(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.ts", start_seconds=0.5)
    assert next(read_frames(path)).time_seconds == 0
    assert numbers(path, 25) == list(range(25))


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=0.04)
    assert numbers(path) == [0]
    assert numbers(path, 25) == [0]
    assert numbers(path, 10) == [0]
    info = probe(path).video
    assert (info.frame_count, info.duration_seconds, info.variable_frame_rate) == (1, pytest.approx(0.04), False)


def test_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "x.mp4", seconds=3, crf=1)
    found = numbers(truncate(whole, tmp_path / "cut.mp4", 0.6))
    assert 20 < len(found) < 60
    assert found == list(range(len(found)))


def test_damage_inside_loses_frames_not_the_file(tmp_path: Path) -> None:
    """Every frame of motion JPEG stands alone: exactly the damaged ones are missing, the one before stays on screen."""
    path = make_video(tmp_path / "x.mov", codec="mjpeg", pixel_format="yuvj420p", seconds=1)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in [packet for packet in container.demux() if packet.size][5:8]:
            content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)
    assert numbers(path) == [0, 1, 2, 3, 4, *range(8, 25)]
    assert numbers(path, 25) == [0, 1, 2, 3, 4, 4, 4, 4, *range(8, 25)]
    assert probe(path).decode_errors == 3


def test_length_of_the_last_frame_is_not_taken_from_a_header_that_lies(tmp_path: Path) -> None:
    """AVI tells one tick of its clock."""
    path = make_video(tmp_path / "x.avi", codec="mjpeg", pixel_format="yuvj420p", seconds=1)
    assert numbers(path, 25) == list(range(25))
    assert probe(path).video.duration_seconds == pytest.approx(1, abs=0.002)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected, match="without a video stream"):
        next(read_frames(make_tone(tmp_path / "x.wav", seconds=0.1)))


def test_frame_rate_outside_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 0 < fps"):
        next(read_frames(make_video(tmp_path / "x.mp4", seconds=0.1), fps=0))


def test_standard_definition_without_tags_reads_as_bt601(tmp_path: Path) -> None:
    """Tolerance: two quantisations to 8 bits, one with half the colour resolution."""
    flat = np.full((96, 128, 3), (40, 60, 200), np.uint8)
    path = make_video(tmp_path / "x.mp4", seconds=0.2, pictures=[flat] * 5, crf=1)
    assert np.abs(next(read_frames(path)).bgr.astype(int) - flat).max() <= 4


def test_high_dynamic_range_is_mapped_not_left_grey(tmp_path: Path) -> None:
    """HLG's nominal white (75 % signal) is a bright white in BT.709; unmapped it stays at three quarters."""
    flat = np.full((96, 128, 3), 191, np.uint8)
    tagged = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    path = make_video(
        tmp_path / "x.mp4",
        seconds=0.08,
        pictures=[flat] * 2,
        codec="libx265",
        pixel_format="yuv420p10le",
        colours=tagged,
    )
    info = probe(path).video
    assert info.color == {"space": "bt2020nc", "range": "tv", "primaries": "bt2020", "transfer": "hlg"}
    assert next(read_frames(path)).bgr.mean() > 200
