"""Planar pictures: boxes are seen and painted exactly, the rest is left byte for byte."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import Box
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.frames import read_frames, read_planar_frames
from providers._media.planar import paint, planar, region
from tests.media import Bgr, corner_colours, frame_number, make_video

WIDTH, HEIGHT = 160, 120
WHOLE = Box(x=0, y=0, width=WIDTH, height=HEIGHT)
SEEN_DB = 38.0  # colour is kept at half size


def smooth_picture() -> Bgr:
    small = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def psnr_db(one: Bgr, other: Bgr) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((one.astype(float) - other) ** 2))))


def test_what_is_painted_is_seen() -> None:
    picture = smooth_picture()
    assert psnr_db(region(planar(picture), WHOLE), picture) > SEEN_DB


@pytest.mark.parametrize("level", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)])
def test_plain_colours_come_back(level: tuple[int, int, int]) -> None:
    picture = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    assert np.abs(region(planar(picture), WHOLE).astype(int) - picture).max() <= 2


@pytest.mark.parametrize("box", [(20, 30, 40, 50), (21, 31, 41, 51), (0, 0, 1, 1), (159, 119, 1, 1), (3, 0, 157, 120)])
def test_only_the_box_changes(box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    before = planar(smooth_picture())
    after = before.copy()
    paint(after, Box(x=x, y=y, width=width, height=height), np.full((height, width, 3), 200, np.uint8))
    shown = region(after, Box(x=x, y=y, width=width, height=height))
    assert shown.shape == (height, width, 3)
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[y - y % 2 : y + height + (y + height) % 2, x - x % 2 : x + width + (x + width) % 2] = False
    assert np.array_equal(after[:HEIGHT][outside], before[:HEIGHT][outside])
    if min(width, height) > 8:
        assert np.abs(shown[4:-4, 4:-4].astype(int) - 200).max() <= 2


def test_a_region_is_what_a_viewer_sees(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", width=WIDTH, height=HEIGHT, crf=1, seconds=0.2)
    for seen, frame in zip(read_frames(film), read_planar_frames(film), strict=True):
        assert frame_number(region(frame.picture, WHOLE)) == frame.index
        assert psnr_db(region(frame.picture, WHOLE), seen.bgr) > 30


def test_a_planar_video_is_handed_on_unconverted_and_another_is_made_so(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "own.mp4", width=WIDTH, height=HEIGHT, fps=25, profile=DeliveryProfile(crf=0))
    pictures = [planar(np.roll(smooth_picture(), 9 * number, 1)) for number in range(5)]
    with writer:
        for picture in pictures:
            writer.write_planar(picture)
    for picture, frame in zip(pictures, read_planar_frames(tmp_path / "own.mp4"), strict=True):
        assert np.array_equal(frame.picture, picture), "crf 0 is lossless"
    turned = make_video(tmp_path / "turned.mp4", width=WIDTH, height=HEIGHT, rotation_degrees=90, seconds=0.1, crf=1)
    shown = next(read_planar_frames(turned)).picture
    assert corner_colours(region(shown, Box(x=0, y=0, width=shown.shape[1], height=shown.shape[0] * 2 // 3))) == {
        "top_left": "red",
        "top_right": "green",
        "bottom_left": "blue",
        "bottom_right": "white",
    }


def test_an_odd_size_gets_one_more_pixel() -> None:
    picture = smooth_picture()[:51, :61]
    found = planar(picture)
    assert found.shape == (78, 62)
    assert psnr_db(region(found, Box(x=0, y=0, width=61, height=51)), picture) > 30


@pytest.mark.parametrize("height", [90, 92])
def test_a_planar_picture_of_any_even_height_is_written_whole(tmp_path: Path, height: int) -> None:
    bgr = np.asarray(
        cv2.resize(np.random.default_rng(3).integers(0, 255, (6, 6, 3), np.uint8), (130, height)), np.uint8
    )
    path = tmp_path / "x.mp4"
    with VideoWriter(path, width=130, height=height, fps=25, profile=DeliveryProfile(crf=4)) as writer:
        for _ in range(3):
            writer.write_planar(planar(bgr))
    frames = [frame.bgr for frame in read_frames(path)]
    assert [frame.shape for frame in frames] == [bgr.shape] * 3
    assert np.abs(frames[1].astype(int) - bgr).mean() < 3
