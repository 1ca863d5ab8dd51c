"""Where faces are in a picture, and how far they are rolled: Haar cascades and the pair of eyes, no weights.

Good for faces turned less than about 30 degrees from the camera. Not here: the mouth (``mouth_landmarks``), nor
following a face through a video (``face_tracking``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box

Image = npt.NDArray[np.uint8]
Choice = Literal["largest", "central"]

SEARCH_LONG_SIDES_PX = (640, 1280)  # 640 is enough for a portrait; the second look is for small faces in large pictures
SEARCH_ROLLS_DEGREES = (0, -15, 15, -30, 30)  # the cascade is blind beyond about 15 degrees of roll
UPRIGHT_DEGREES = 8.0  # up to here an expected face is looked for as the picture stands
LEAST_OF_EXPECTED = 0.65  # in width
MIN_FACE_PX = 36
MIN_NEIGHBOURS = 4
OVERLAP_SHARE = 0.35
EYES_BAND = (0.12, 0.55)  # eyes lie in this share of the box's height
EYES_WIDTH_PX = 200
EYES_SEARCH_PX, EYES_SCALE_STEP = 150, 1.1
"""A third of the time that the full width takes in steps of 1.05; that finds 4 in 100 pairs more, no more exactly."""
EYE_DISTANCE = 0.38  # of the box's width, mean of 253 faces measured against a landmark model
EYE_HEIGHT = 0.26  # of the band's 200 pixels wide image
MAX_ROLL_FROM_EYES_DEGREES = 16.0
EYES_SHARE = 0.35  # of the confidence
WITH_EYES = 0.7  # confidence that only a face with a pair of eyes reaches
BROWS_TO_CHIN = (0.12, 0.12, 0.88, 1.16)
"""Of the cascade's square: left, top, right, bottom of the upright box from brows to chin."""


@dataclass(frozen=True)
class Face:
    """``box`` is upright around the face's centre; ``roll_degrees`` is positive when the face leans clockwise."""

    box: Box
    roll_degrees: float
    confidence: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.box.x + self.box.width / 2, self.box.y + self.box.height / 2

    def point(self, across: float, down: float) -> tuple[float, float]:
        """Picture coordinates of a place given in shares of the box, in the face's own upright frame."""
        x, y = (across - 0.5) * self.box.width, (down - 0.5) * self.box.height
        cos, sin = math.cos(math.radians(self.roll_degrees)), math.sin(math.radians(self.roll_degrees))
        return self.centre[0] + x * cos - y * sin, self.centre[1] + x * sin + y * cos

    def shifted(self, right_px: int, down_px: int) -> "Face":
        """As seen in a larger picture in which this one begins there."""
        box = self.box
        return replace(self, box=Box(x=box.x + right_px, y=box.y + down_px, width=box.width, height=box.height))

    def scaled(self, factor: float) -> "Face":
        """As seen in the picture enlarged by ``factor``; to the pixel."""
        side = max(1, round(self.box.width * factor))
        x, y = (round(place * factor - side / 2) for place in self.centre)
        return replace(self, box=Box(x=x, y=y, width=side, height=side))


class FindFaces(Protocol):
    """A detector."""

    def __call__(self, bgr: Image, expected: Face | None = None) -> list[Face]:
        """All faces of uint8 (H, W, 3), largest first; ``expected``: of about this size and roll will do."""
        ...


def find_faces(bgr: Image, expected: Face | None = None) -> list[Face]:
    """All faces seen, largest first; at most one per place.

    Args:
        bgr: uint8 (H, W, 3).
        expected: only faces of about this size and roll, in a tenth of the time; if it had eyes, so have they.
    """
    if expected is not None:
        return _without_overlaps(_like(expected, bgr))
    for gray, scale in _search_images(bgr):
        best: list[Face] = []
        for roll in SEARCH_ROLLS_DEGREES:
            faces = sorted(_detect(gray, roll, scale), key=lambda face: -face.box.width)
            if faces and (not best or _surest(faces) > _surest(best)):
                best = faces
            if best and _surest(best) >= WITH_EYES:
                break
        if best:
            return _without_overlaps(best)
    return []


def _like(expected: Face, bgr: Image) -> list[Face]:
    gray, scale = next(_search_images(bgr))
    roll = expected.roll_degrees if abs(expected.roll_degrees) > UPRIGHT_DEGREES else 0.0
    has_eyes = expected.confidence >= WITH_EYES
    least_px = max(MIN_FACE_PX, round(LEAST_OF_EXPECTED * expected.box.width * scale))
    faces = sorted(_detect(gray, roll, scale, least_px, eyes=not has_eyes), key=lambda face: -face.box.width)
    if not has_eyes:
        return faces
    sure = (min(1.0, face.confidence + EYES_SHARE) for face in faces)
    return [Face(face.box, expected.roll_degrees, confidence) for face, confidence in zip(faces, sure, strict=True)]


def _surest(faces: list[Face]) -> float:
    return max(face.confidence for face in faces)


def choose_face(
    faces: list[Face], speaker: int | None, choice: Choice = "largest", size: tuple[int, int] = (0, 0)
) -> Face | None:
    """The ``speaker``-th from the left; without one the largest, or the one nearest to the picture's centre.

    Args:
        faces: the largest first.
        size: of the picture, (width, height); counts for ``central``.

    Returns:
        None when there is no such face.
    """
    if speaker is None:
        if choice == "central":
            middle = (size[0] / 2, size[1] / 2)
            return min(faces, key=lambda face: math.dist(face.centre, middle), default=None)
        return faces[0] if faces else None
    ordered = sorted(faces, key=lambda face: face.centre[0])
    return ordered[speaker] if speaker < len(ordered) else None


def _search_images(bgr: Image) -> Iterator[tuple[Image, float]]:
    """Gray pictures to search, with the factor that made them from the original."""
    gray = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    long_side = max(gray.shape)
    for limit in SEARCH_LONG_SIDES_PX:
        scale = min(1.0, limit / long_side)
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        yield np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8), scale
        if scale == 1.0:
            return


def _detect(
    gray: Image, roll_degrees: float, scale: float, least_px: int = MIN_FACE_PX, *, eyes: bool = True
) -> Iterator[Face]:
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), roll_degrees, 1)
    turned = gray if roll_degrees == 0 else cv2.warpAffine(gray, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(turn)
    boxes, _, weights = _cascade("frontalface_alt2").detectMultiScale3(
        turned, 1.1, MIN_NEIGHBOURS, minSize=(least_px, least_px), outputRejectLevels=True
    )
    for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True):
        eyes_roll = _roll_from_eyes(np.asarray(turned, np.uint8), int(x), int(y), int(w), int(h)) if eyes else None
        centre = back @ np.array([x + w / 2, y + h / 2, 1.0]) / scale
        side = max(1, round(float(w) / scale))
        box = Box(x=round(float(centre[0]) - side / 2), y=round(float(centre[1]) - side / 2), width=side, height=side)
        yield Face(box, roll_degrees + (eyes_roll or 0.0), _confidence(float(weight), eyes_roll))


def _confidence(cascade_weight: float, eyes_roll: float | None) -> float:
    """0..1: the cascade's margin (0 barely, 3 and more for clear portraits), and whether a pair of eyes was seen."""
    margin = min(1.0, max(0.0, cascade_weight / 3.0))
    return round(0.35 + 0.3 * margin + (EYES_SHARE if eyes_roll is not None else 0.0), 3)


def _roll_from_eyes(gray: Image, x: int, y: int, width: int, height: int) -> float | None:
    """Degrees, clockwise positive; None when no plausible pair of eyes is found."""
    band = gray[y + int(EYES_BAND[0] * height) : y + int(EYES_BAND[1] * height), max(0, x) : x + width]
    if band.shape[0] < 8 or band.shape[1] < 8:
        return None
    zoom = EYES_SEARCH_PX / band.shape[1]
    inside = cv2.resize(band, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    found = _cascade("eye").detectMultiScale(inside, EYES_SCALE_STEP, 4, minSize=(21, 21), maxSize=(53, 53))
    wide = EYES_WIDTH_PX / EYES_SEARCH_PX
    eyes = [(float(ex + ew / 2) * wide, float(ey + eh / 2) * wide) for ex, ey, ew, eh in found]
    pairs = [(_pair_cost(left, right), left, right) for left in eyes for right in eyes if right[0] - left[0] > 50]
    if not pairs:
        return None
    cost, left, right = min(pairs)
    roll = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
    return roll if cost < 28 and abs(roll) < MAX_ROLL_FROM_EYES_DEGREES else None


def _pair_cost(left: tuple[float, float], right: tuple[float, float]) -> float:
    """How unlike a pair of eyes two detections are, in pixels of the 200 pixels wide band."""
    distance = math.hypot(right[0] - left[0], right[1] - left[1])
    height = (left[1] + right[1]) / 2
    return (
        abs(distance - EYE_DISTANCE * EYES_WIDTH_PX)
        + 0.6 * abs(height - EYE_HEIGHT * EYES_WIDTH_PX)
        + 0.4 * abs(left[1] - right[1])
    )


def _without_overlaps(faces: list[Face]) -> list[Face]:
    kept: list[Face] = []
    for face in faces:
        if all(_overlap(face.box, other.box) < OVERLAP_SHARE for other in kept):
            kept.append(face)
    return kept


def _overlap(first: Box, second: Box) -> float:
    """Shared area as a share of the smaller box."""
    across = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    down = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    smaller = min(first.width * first.height, second.width * second.height)
    return max(0, across) * max(0, down) / smaller


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))
