"""Where the lids of two open eyes are, without weights: the iris is the dark disc beside white, the rest is anatomy.

A palpebral fissure is about 30 mm wide and 10 mm high, an iris 11.7 mm, the pupils 63 mm apart: of the eyes' distance
0.24 to either side, and the lids just cut the iris. Good for open eyes that look at the camera; other eyes are doubted.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.faces import Face, Image

Floats = npt.NDArray[np.float32]

FACE_PX = 400  # the width of the face in the patch that is searched
EYES = ((0.31, 0.385), (0.69, 0.385))  # expected pupils, in shares of the face's box
SEARCH_PX = (30, 22)  # across, down, from the expected place
EYE_DISTANCE_PX = 152
IRIS_PX = 14
HALF_WIDTH = 0.235  # of the eyes' distance; so are the heights
UPPER_LID, LOWER_LID = 0.070, 0.068
LID_REACH_PX = 5
MIN_CONTRAST = 0.20  # of the skin's lightness, between iris and white; shut eyes and dark glasses stay below
MAX_ODD_DISTANCE, MAX_ODD_HEIGHT = 0.22, 0.08
MAX_OFF_MIDDLE_PX, MAX_OFF_HEIGHT_PX = 13, 14  # in the patch: other eyes belong to a turned head, or are none
BROW_DARKNESS = 0.82  # of the lid's skin


@dataclass(frozen=True)
class Eye:
    """In the picture's pixels; ``above_px`` and ``below_px`` from the centre to the lids in the middle of the eye."""

    centre_px: tuple[float, float]
    half_width_px: float
    above_px: float
    below_px: float
    skin_above_px: float
    """From the upper lid to the brow, as far as there is plain skin."""
    roll_degrees: float

    def scaled(self, factor: float) -> "Eye":
        """As in the picture enlarged by ``factor``."""
        x, y = self.centre_px
        return replace(
            self,
            centre_px=(x * factor, y * factor),
            half_width_px=self.half_width_px * factor,
            above_px=self.above_px * factor,
            below_px=self.below_px * factor,
            skin_above_px=self.skin_above_px * factor,
        )


def locate_eyes(bgr: Image, face: Face) -> tuple[Eye, Eye] | None:
    """Left and right in the picture; None when they are not both seen open."""
    gray, scale = _patch(bgr, face)
    skin = float(np.median(gray[int(0.5 * FACE_PX) : int(0.62 * FACE_PX), int(0.2 * FACE_PX) : int(0.8 * FACE_PX)]))
    found = [_iris(gray, skin, place) for place in EYES]
    left, right = found
    if left is None or right is None:
        return None
    apart = math.dist(left, right)
    if not _is_pair(left, right, apart):
        return None
    eyes = _eye(gray, left, apart, face, scale), _eye(gray, right, apart, face, scale)
    return eyes if all(_is_inside(eye, bgr) for eye in eyes) else None


def _is_pair(left: tuple[float, float], right: tuple[float, float], apart: float) -> bool:
    return (
        abs(apart / EYE_DISTANCE_PX - 1) < MAX_ODD_DISTANCE
        and abs(left[1] - right[1]) < MAX_ODD_HEIGHT * apart
        and abs((left[0] + right[0] - FACE_PX) / 2) < MAX_OFF_MIDDLE_PX
        and abs((left[1] + right[1]) / 2 - EYES[0][1] * FACE_PX) < MAX_OFF_HEIGHT_PX
    )


def _is_inside(eye: Eye, bgr: Image) -> bool:
    x, y = eye.centre_px
    reach = 1.5 * eye.half_width_px
    return reach < x < bgr.shape[1] - reach and reach < y < bgr.shape[0] - reach


def _patch(bgr: Image, face: Face) -> tuple[Floats, float]:
    """The upright face, float32 (FACE_PX, FACE_PX), and patch pixels per picture pixel."""
    scale = FACE_PX / face.box.width
    roll = math.radians(face.roll_degrees)
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    matrix = np.hstack([turn, (FACE_PX / 2 - turn @ np.array(face.centre))[:, None]])
    source = cv2.GaussianBlur(bgr, (0, 0), 0.4 / scale) if scale < 0.7 else bgr
    patch = cv2.warpAffine(source, matrix, (FACE_PX, FACE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY), np.float32), scale


def _iris(gray: Floats, skin: float, expected: tuple[float, float]) -> tuple[float, float] | None:
    """Patch coordinates of the iris near the expected place; None when nothing there has its contrast."""
    response = _response(gray)
    x, y = round(expected[0] * FACE_PX), round(expected[1] * FACE_PX)
    across, down = SEARCH_PX
    window = response[y - down : y + down + 1, x - across : x + across + 1]
    row, column = np.unravel_index(int(np.argmax(window)), window.shape)
    if float(window[row, column]) < MIN_CONTRAST * max(skin, 20.0):
        return None
    return float(x - across + column), float(y - down + row)


def _response(gray: Floats) -> Floats:
    """How much darker a disc is than the darker one of the whites beside it; a brow has no white at its ends."""
    reach = 2 * IRIS_PX
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    beside = (np.abs(x) > 1.15 * IRIS_PX) & (np.abs(x) < 1.7 * IRIS_PX) & (np.abs(y) < 0.35 * IRIS_PX)
    disc, left, right = (
        cv2.filter2D(gray, cv2.CV_32F, shape.astype(np.float32) / shape.sum(), borderType=cv2.BORDER_REPLICATE)
        for shape in (np.hypot(x, y) <= 0.85 * IRIS_PX, beside & (x < 0), beside & (x > 0))
    )
    return np.asarray(np.minimum(left, right) - disc, np.float32)


def _eye(gray: Floats, iris: tuple[float, float], apart: float, face: Face, scale: float) -> Eye:
    above = _lid(gray, iris, -UPPER_LID * apart)
    below = _lid(gray, iris, LOWER_LID * apart)
    centre = face.point(iris[0] / FACE_PX, iris[1] / FACE_PX)
    skin = _skin_above(gray, iris, above)
    return Eye(centre, HALF_WIDTH * apart / scale, above / scale, below / scale, skin / scale, face.roll_degrees)


def _skin_above(gray: Floats, iris: tuple[float, float], above: float) -> float:
    x, y = int(iris[0]), int(iris[1] - above)
    column = cv2.GaussianBlur(gray[:, x - 12 : x + 13].mean(axis=1, keepdims=True), (0, 0), 1.0)[:, 0]
    upwards = column[max(0, y - EYE_DISTANCE_PX // 5) : y + 1][::-1]
    brightest = np.maximum.accumulate(upwards)
    brow = np.flatnonzero((upwards < BROW_DARKNESS * brightest) & (np.arange(len(upwards)) > np.argmax(upwards[:12])))
    return float(brow[0] if brow.size else len(upwards))


def _lid(gray: Floats, iris: tuple[float, float], expected: float) -> float:
    """Distance to the lid: the strongest step from the eye to the skin near where it should be."""
    x, y = int(iris[0]), int(iris[1])
    column = cv2.GaussianBlur(gray[:, x - 8 : x + 9].mean(axis=1, keepdims=True), (0, 0), 1.5)[:, 0]
    step = np.gradient(column) * (-1 if expected < 0 else 1)
    near = y + round(expected)
    rows = np.arange(near - LID_REACH_PX, near + LID_REACH_PX + 1)
    best = int(rows[int(np.argmax(step[rows] - 0.15 * np.abs(rows - near)))])
    return float(abs(best - y))
