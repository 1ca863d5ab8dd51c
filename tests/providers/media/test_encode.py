"""The writer: what was asked comes out, byte for byte the same each time."""

import hashlib
import re
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import PictureType

from contracts.errors import ProviderFailed
from contracts.production import DeliveryProfile
from providers._media.encode import Content, VideoWriter, exact_rate
from providers._media.frames import read_frames
from providers._media.probe import probe
from tests.media import CORNERS, corner_colours, frame_number, numbered_picture

Bgr = npt.NDArray[np.uint8]
KINDS: tuple[tuple[Content, int], ...] = (("film", 3), ("take", 3), ("still", 5))  # and most frames between references
PROFILE = DeliveryProfile(preset="ultrafast", crf=18)


def write(path: Path, *, count: int = 10, width: int = 160, height: int = 120, fps: float = 25) -> Path:
    with VideoWriter(path, width=width, height=height, fps=fps, profile=PROFILE) as writer:
        for number in range(count):
            writer.write(numbered_picture(width, height, number))
    assert writer.frame_count == count
    return path


def test_written_frames_come_back(tmp_path: Path) -> None:
    frames = list(read_frames(write(tmp_path / "x.mp4", count=30)))
    assert [frame_number(frame.bgr) for frame in frames] == list(range(30))
    assert corner_colours(frames[0].bgr) == CORNERS


def test_file_is_what_a_browser_wants(tmp_path: Path) -> None:
    info = probe(write(tmp_path / "x.mp4"))
    assert info.faststart is True
    assert info.audio is None
    assert (info.video.codec, info.video.pixel_format, info.video.fps) == ("h264", "yuv420p", 25)
    assert info.video.color == {"space": "bt709", "range": "tv", "primaries": "bt709", "transfer": "bt709"}
    assert info.video.duration_seconds == pytest.approx(0.4)


def test_colours_survive(tmp_path: Path) -> None:
    """Tolerance: two quantisations to 8 bits, one of them to 220 levels; flat colour, so no detail is lost."""
    for colour in ((128, 128, 128), (40, 60, 200), (200, 80, 30), (60, 180, 60), (255, 255, 255), (0, 0, 0)):
        flat = np.full((64, 64, 3), colour, np.uint8)
        path = tmp_path / "x.mp4"
        with VideoWriter(path, width=64, height=64, fps=25, profile=DeliveryProfile(crf=1)) as writer:
            writer.write(flat)
        assert np.abs(next(read_frames(path)).bgr.astype(int) - flat).max() <= 4, colour


def test_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    digests = {hashlib.sha256(write(tmp_path / f"{n}.mp4", count=60).read_bytes()).hexdigest() for n in range(3)}
    assert len(digests) == 1
    assert hashlib.sha256(write(tmp_path / "other.mp4", count=59).read_bytes()).hexdigest() not in digests


def swaying(samples: Path) -> list[Bgr]:
    """At a size at which x264 with its macroblock tree gave other bytes in about one run of six."""
    still = cv2.resize(cv2.imread(str(samples / "presenter.png")), (240, 240), interpolation=cv2.INTER_AREA)
    return [np.roll(still, round(4 * np.sin(frame / 3)), axis=1) for frame in range(30)]


def coded(path: Path, pictures: list[Bgr], *, content: Content) -> Path:
    with VideoWriter(path, width=240, height=240, fps=25, profile=DeliveryProfile(), content=content) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


@pytest.mark.parametrize("content", ["film", "take", "still"])
def test_a_face_at_an_awkward_size_gives_the_same_bytes(samples: Path, tmp_path: Path, content: Content) -> None:
    pictures = swaying(samples)
    files = (coded(tmp_path / f"{number}.mp4", pictures, content=content) for number in range(12))
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in files}) == 1


def kinds_of(path: Path) -> str:
    """I, P or B for each frame."""
    with av.open(str(path)) as container:
        return "".join(PictureType(frame.pict_type).name for frame in container.decode(video=0))


def test_a_cut_begins_with_a_key_frame_unless_there_is_said_to_be_none(samples: Path, tmp_path: Path) -> None:
    pictures = swaying(samples)
    pictures[15:] = [np.asarray(255 - picture[::-1], np.uint8) for picture in pictures[15:]]
    places = {
        content: [place for place, kind in enumerate(kinds_of(path)) if kind == "I"]
        for content, _ in KINDS
        for path in [coded(tmp_path / f"{content}.mp4", pictures, content=content)]
    }
    assert places == {"film": [0, 15], "take": [0], "still": [0]}


def test_a_still_is_coded_with_more_frames_between_references_and_as_well(samples: Path, tmp_path: Path) -> None:
    pictures = swaying(samples)
    sharp: dict[Content, float] = {}
    for content, longest in KINDS:
        path = coded(tmp_path / f"{content}.mp4", pictures, content=content)
        assert max(len(run) for run in re.findall("B+", kinds_of(path))) == longest
        sharp[content] = np.mean([cv2.PSNR(a.bgr, b) for a, b in zip(read_frames(path), pictures, strict=True)])
    assert min(sharp.values()) > sharp["film"] - 0.5


@pytest.mark.parametrize(("width", "height"), [(161, 120), (160, 121), (161, 121)])
def test_odd_size_gains_one_repeated_pixel(width: int, height: int, tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", count=2, width=width, height=height)
    frame = next(read_frames(path)).bgr.astype(int)
    assert frame.shape[:2] == (height + height % 2, width + width % 2)
    assert np.abs(frame[:, -1] - frame[:, -2]).mean() < 8
    assert np.abs(frame[-1] - frame[-2]).mean() < 8


@pytest.mark.parametrize("fps", [12, 23.976, 25, 29.97, 30, 50, 59.94])
def test_frame_rate_is_kept_exactly(fps: float, tmp_path: Path) -> None:
    info = probe(write(tmp_path / "x.mp4", count=24, fps=fps)).video
    assert info.fps == pytest.approx(float(exact_rate(fps)), abs=0.001)
    assert info.frame_count == 24
    assert not info.variable_frame_rate


def test_failure_inside_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"

    def fail_after_one_frame() -> None:
        with VideoWriter(path, width=160, height=120, fps=25, profile=PROFILE) as writer:
            writer.write(numbered_picture(160, 120, 0))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_after_one_frame()
    assert list(tmp_path.iterdir()) == []


def test_no_file_stands_there_before_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with VideoWriter(path, width=160, height=120, fps=25, profile=PROFILE) as writer:
        writer.write(numbered_picture(160, 120, 0))
        assert not path.exists()
    assert [found.name for found in tmp_path.iterdir()] == ["x.mp4"]


def test_video_without_frames_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ProviderFailed, match="at least one frame"),
        VideoWriter(tmp_path / "x.mp4", width=160, height=120, fps=25, profile=PROFILE),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bgr", [np.zeros((120, 161, 3), np.uint8), np.zeros((120, 160, 3), np.float32)])
def test_frame_of_another_shape_or_type_is_named(bgr: np.ndarray, tmp_path: Path) -> None:
    with (
        pytest.raises(ProviderFailed, match=r"expected a uint8 frame of shape \(120, 160, 3\)"),
        VideoWriter(tmp_path / "x.mp4", width=160, height=120, fps=25, profile=PROFILE) as writer,
    ):
        writer.write(bgr)


@pytest.mark.parametrize("codec", ["no_such_codec", "aac"])
def test_unknown_encoder_is_named_and_nothing_is_left(codec: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderFailed, match=codec):
        VideoWriter(tmp_path / "x.mp4", width=160, height=120, fps=25, profile=DeliveryProfile(codec=codec))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1"])
def test_other_encoders_of_the_build_work(codec: str, tmp_path: Path) -> None:
    profile = DeliveryProfile(codec=codec, crf=35, preset="ultrafast")
    with VideoWriter(tmp_path / "x.mp4", width=160, height=120, fps=25, profile=profile) as writer:
        for number in range(3):
            writer.write(numbered_picture(160, 120, number))
    assert [frame_number(frame.bgr) for frame in read_frames(tmp_path / "x.mp4")] == [0, 1, 2]
