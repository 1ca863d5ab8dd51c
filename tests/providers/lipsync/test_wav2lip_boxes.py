"""Where the face is, frame by frame: steady, inside the picture, and a reason where there is none."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from contracts.artifacts import Box
from providers._media.face_tracking import FaceTracker
from providers.lipsync._wav2lip_boxes import (
    LEAVES,
    NO_FACE,
    TOO_SMALL,
    Pads,
    Places,
    boxes_of,
    places_of,
    smoothed,
)
from tests.providers.lipsync.golden_wav2lip import golden_json
from tests.providers.lipsync.makers import Bgr, noise, portrait, swaying

NO_PADS = Pads(0, 0, 0, 0)


def track(*corners: tuple[float, ...] | None, shots: tuple[int, ...] | None = None) -> Places:
    rows = [row if row is not None else (np.nan,) * 4 for row in corners]
    found = shots or tuple(-1 if row is None else 0 for row in corners)
    return Places(found, np.array(rows, np.float64), width=200, height=100, confidence=None)


@pytest.mark.requirement("S56")
def test_smoothing_is_the_originals() -> None:
    golden = golden_json("smoothing.json")
    assert smoothed(np.array(golden["boxes"], np.int64)).tolist() == golden["smoothed"]


def test_smoothing_of_few_boxes_is_their_mean() -> None:
    assert smoothed(np.array([[0, 0, 10, 10], [4, 4, 14, 14]], np.int64))[0].tolist() == [2, 2, 12, 12]


def test_boxes_are_whole_pixels_grown_by_the_pads_inside_the_picture() -> None:
    found = boxes_of(track((10.9, 20.2, 50.7, 95.0)), Pads(top=1, bottom=10, left=2, right=3), smooth=True)
    assert found.boxes == (Box(x=8, y=19, width=45, height=81),)
    assert found.reasons == ("",)


def test_a_cut_is_not_smoothed_over() -> None:
    left, right = (0.0, 0.0, 20.0, 20.0), (100.0, 50.0, 120.0, 70.0)
    found = boxes_of(track(left, left, right, right, shots=(0, 0, 1, 1)), NO_PADS, smooth=True)
    assert [box.x for box in found.boxes if box] == [0, 0, 100, 100]


def test_frames_without_a_box_say_why() -> None:
    found = boxes_of(track(None, (180.0, 0, 240, 60), (1, 1, 5, 5), (10, 10, 40, 40)), NO_PADS, smooth=False)
    assert found.reasons == (NO_FACE, LEAVES, TOO_SMALL, "")
    assert [box is not None for box in found.boxes] == [False, False, False, True]


def followed(frames: Iterable[Bgr]) -> Places:
    tracker = FaceTracker()
    shown = list(frames)
    height, width = shown[0].shape[:2]
    return places_of([tracker.update(frame) for frame in shown], width, height)


def test_the_box_follows_the_face(samples: Path) -> None:
    frames = list(swaying(portrait(samples, 384), 20))
    boxes = followed(frames).corners
    alone = np.array([followed([frame]).corners[0] for frame in frames])
    assert np.isfinite(boxes).all()
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert np.abs(centres - (alone[:, :2] + alone[:, 2:]) / 2).max() < 0.05 * 384
    assert np.ptp(centres[:, 0]) > 5


def test_the_box_holds_the_mouth_and_ends_near_the_chin(samples: Path) -> None:
    x1, y1, x2, y2 = followed([portrait(samples, 720)]).corners[0]
    assert x1 < 300 < 380 < x2
    assert y1 < 240 < 360 < y2 < 470
    assert (y1 + y2) / 2 < 331, "the mouth is in the hidden lower half"


def test_where_nobody_is_there_is_no_box_and_a_new_stretch_begins_after(samples: Path) -> None:
    still = portrait(samples, 384)
    shots = list(followed([still] * 6 + [noise(still)] * 5 + [still] * 6).shots)
    assert shots[:6] == [0] * 6
    assert -1 in shots[6:11]
    assert shots[-1] == 1
    assert shots == sorted(shots[:6]) + shots[6:]
