"""The face's box in every frame of a video, as the generator wants it: brows to chin, steady, inside the picture.

A box track is a float array (n, 4) of x1, y1, x2, y2 in pixels, NaN where there is no face.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.face_tracking import Track, Transform, scale_of
from providers._media.faces import BROWS_TO_CHIN, Face

Corners = npt.NDArray[np.float64]

SMOOTHING_FRAMES = 5
LEAST_INSIDE = 0.6  # of the box; less of a face is not animated
LEAST_SIDE_PX = 8
MAX_MISSED_LOOKS = 5  # of the detector, one every few frames: then what is tracked is no face, or it is turned away
NO_FACE = "no face is seen"
LEAVES = "the face leaves the picture"
TOO_SMALL = "the face is too small"


@dataclass(frozen=True)
class Pads:
    """Pixels that the box grows by."""

    top: int = 0
    bottom: int = 10
    left: int = 0
    right: int = 0


def tight(face: Face) -> Corners:
    """x1, y1, x2, y2 from brows to chin, (4,): what the original's detector (S3FD) finds."""
    left, top, right, bottom = BROWS_TO_CHIN
    box = face.box
    return np.array(
        [
            box.x + left * box.width,
            box.y + top * box.height,
            box.x + right * box.width,
            box.y + bottom * box.height,
        ]
    )


@dataclass(frozen=True)
class Places:
    """Where the face is in each frame of a video: a stretch's number, -1 without a face, and corners (n, 4)."""

    shots: tuple[int, ...]
    corners: Corners
    width: int
    height: int
    confidence: float | None

    @property
    def frame_count(self) -> int:
        return len(self.shots)


def places_of(tracks: Iterable[Track], width: int, height: int) -> Places:
    """From what a tracker said, frame by frame, in pixels of a picture of this size."""
    found = _Stretches()
    rows = [found.next(track) for track in tracks]
    confidence = round(float(np.mean(found.confidences)), 4) if found.confidences else None
    shots = tuple(stretch for stretch, _ in rows)
    return Places(shots, np.array([corners for _, corners in rows]).reshape(-1, 4), width, height, confidence)


class _Stretches:
    """Runs of frames with a face."""

    def __init__(self) -> None:
        self._tracked_shot = -1
        self._anchor: Corners = np.full(4, np.nan)  # the box in the tracked shot's first frame
        self._missed_looks = 0
        self._stretch = -1
        self._is_seen = False
        self.confidences: list[float] = []

    def next(self, track: Track) -> tuple[int, Corners]:
        """The stretch that the next frame belongs to, and the box (4,); -1 and NaN without."""
        self._look(track)
        if track.transform is None or self._missed_looks > MAX_MISSED_LOOKS:
            self._is_seen = False
            return -1, np.full(4, np.nan)
        if not self._is_seen:
            self._stretch, self._is_seen = self._stretch + 1, True
        return self._stretch, _moved(self._anchor, track.transform)

    def _look(self, track: Track) -> None:
        if track.looked:
            self._missed_looks = 0 if track.face is not None else self._missed_looks + 1
        if track.face is None:
            return
        self.confidences.append(track.face.confidence)
        if track.transform is not None and track.shot != self._tracked_shot:
            self._tracked_shot, self._anchor, self._is_seen = track.shot, tight(track.face), False


def _moved(corners: Corners, transform: Transform) -> Corners:
    """The upright box around the same place of the face, as much larger as the face has become."""
    centre = (corners[:2] + corners[2:]) / 2
    half = (corners[2:] - corners[:2]) / 2 * scale_of(transform)
    x_y = transform[:, :2] @ centre + transform[:, 2]
    return np.concatenate([x_y - half, x_y + half])


def padded(boxes: npt.NDArray[Any], pads: Pads, width: int, height: int) -> npt.NDArray[np.int64]:
    """(n, 4) grown by the pads, cut to whole pixels inside the picture; no NaN in it."""
    grown = np.asarray(boxes) + np.array([-pads.left, -pads.top, pads.right, pads.bottom])
    return np.clip(grown, 0, [width, height, width, height]).astype(np.int64)


def smoothed(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The original's smoothing: each box is the mean of itself and the next four, cut to whole pixels.

    It works in place and lets the last five boxes share one window, so these are averaged from averages already.
    """
    found = boxes.copy()
    for index in range(len(found)):
        start = min(index, max(0, len(found) - SMOOTHING_FRAMES))
        found[index] = found[start : start + SMOOTHING_FRAMES].mean(axis=0)
    return found


@dataclass(frozen=True)
class Boxes:
    """For each frame a box, or the reason why there is none."""

    boxes: tuple[Box | None, ...]
    reasons: tuple[str, ...]


def boxes_of(track: Places, pads: Pads, *, smooth: bool) -> Boxes:
    """Whole pixels, inside the picture, steady within each shot."""
    boxes: list[Box | None] = [None] * track.frame_count
    reasons = [NO_FACE] * track.frame_count
    shots = np.array(track.shots)
    for shot in sorted(set(track.shots) - {-1}):
        places = np.flatnonzero(shots == shot)
        corners = track.corners[places]
        whole = padded(corners, pads, track.width, track.height)
        if smooth:
            whole = smoothed(whole)
        for place, before, (x1, y1, x2, y2) in zip(places, corners, whole.tolist(), strict=True):
            reasons[place] = _doubt(before, track.width, track.height)
            if not reasons[place] and min(x2 - x1, y2 - y1) < LEAST_SIDE_PX:
                reasons[place] = TOO_SMALL
            if not reasons[place]:
                boxes[place] = Box(x=x1, y=y1, width=x2 - x1, height=y2 - y1)
    return Boxes(tuple(boxes), tuple(reasons))


def _doubt(corners: Corners, width: int, height: int) -> str:
    """Why a face at this place cannot be animated; empty when it can."""
    inside = np.clip(corners, 0, [width, height, width, height])
    area = np.prod(corners[2:] - corners[:2])
    return "" if np.prod(inside[2:] - inside[:2]) >= LEAST_INSIDE * area else LEAVES
