"""A face is followed to the pixel, and lost honestly."""

from pathlib import Path

import cv2
import numpy as np

from providers._media.face_tracking import FaceTracker
from tests.providers.lipsync.makers import MOUTH_IN_PORTRAIT, Bgr, noise, portrait, sway, swaying

SIDE_PX = 320
MOUTH = np.array([*(place * SIDE_PX / 720 for place in MOUTH_IN_PORTRAIT), 1.0])
CLOSE_PX = 0.7  # at a mouth of 40 pixels width


def test_a_swaying_head_is_followed(samples: Path) -> None:
    picture = portrait(samples, SIDE_PX)
    tracker = FaceTracker()
    first = sway(picture, 0) @ MOUTH
    for index, frame in enumerate(swaying(picture, 45)):
        track = tracker.update(frame)
        assert track.shot == 0
        assert track.transform is not None
        followed = track.transform @ np.array([*first, 1.0])
        assert np.linalg.norm(followed - sway(picture, index) @ MOUTH) < CLOSE_PX, f"frame {index}"


def test_a_head_that_comes_closer_and_leans_is_followed(samples: Path) -> None:
    """Far more than corners of one key frame can bear."""
    picture = portrait(samples, SIDE_PX)
    tracker = FaceTracker()
    for index in range(45):
        turn = cv2.getRotationMatrix2D((150, 130), -0.6 * index, 1 + 0.018 * index)
        frame = cv2.warpAffine(picture, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
        track = tracker.update(np.asarray(frame, np.uint8))
        assert track.shot == 0, f"lost in frame {index}"
        assert track.transform is not None
        assert np.linalg.norm(track.transform @ MOUTH - turn @ MOUTH) < 2 * CLOSE_PX, f"frame {index}"


def test_a_large_picture_is_followed_in_its_own_pixels(samples: Path) -> None:
    picture = portrait(samples, 960)
    tracker = FaceTracker()
    tracker.update(picture)
    moved = cv2.warpAffine(picture, np.array([[1.0, 0, 12], [0, 1.0, -6]]), (960, 960), borderMode=cv2.BORDER_REPLICATE)
    track = tracker.update(np.asarray(moved, np.uint8))
    assert track.transform is not None
    np.testing.assert_allclose(track.transform[:, 2], (12, -6), atol=0.6)


def test_a_face_that_leaves_is_lost_and_comes_back_as_another_shot(samples: Path) -> None:
    picture = portrait(samples, SIDE_PX)
    tracker = FaceTracker()
    frames: list[Bgr] = [picture] * 8 + [noise(picture)] * 8 + [picture] * 8
    shots = [tracker.update(frame).shot for frame in frames]
    assert shots[:8] == [0] * 8
    assert shots[8:16] == [-1] * 8
    assert shots[-3:] == [1] * 3


def test_nobody_is_followed_where_nobody_is(samples: Path) -> None:
    tracker = FaceTracker()
    assert all(tracker.update(noise(portrait(samples, SIDE_PX), seed)).shot == -1 for seed in range(7))


def test_where_nobody_was_for_long_it_is_looked_rarely_until_the_picture_changes(samples: Path) -> None:
    picture = portrait(samples, SIDE_PX)
    wall = noise(picture)
    tracker = FaceTracker()
    looks = [index for index in range(62) if tracker.update(wall).looked]
    assert looks == [0, 5, 10, 35, 60]
    found = [tracker.update(picture).shot for _ in range(4)]
    assert found == [-1, -1, -1, 0], "in the next fifth frame"


def test_a_picture_that_moves_without_a_face_is_looked_at_as_often_as_any(samples: Path) -> None:
    walls = [np.roll(noise(portrait(samples, SIDE_PX)), (7 * step, 9 * step), (0, 1)) for step in range(30)]
    gradient = np.linspace(0, 200, SIDE_PX, dtype=np.uint8)[:, None, None]
    tracker = FaceTracker()
    looks = [
        index for index, wall in enumerate(walls) if tracker.update(wall // 4 + np.roll(gradient, 9 * index, 0)).looked
    ]
    assert looks == [0, 5, 10, 15, 20, 25]
