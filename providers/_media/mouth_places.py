"""Where the mouth region of the most prominent face lies, frame by frame of a stream.

A face is looked for a few times a second; between two looks its place is interpolated, and single wrong looks are
voted down by their neighbours. Not here: lips, contours or any landmark of the mouth (``mouth_landmarks``).
"""

from bisect import bisect_right
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.face_looks import FaceLooks
from providers._media.faces import Choice, Face, choose_face, find_faces

Image = npt.NDArray[np.uint8]

PATCH_PX = 96
REGION_WIDTH = 0.64  # of the face box: the mouth is 0.28 wide, and widens and drops when it opens
REGION_CENTRE = (0.5025, 0.86)  # of the face box: mean mouth centre (0.5025, 0.813) of 253 faces, a little lower
VOTERS_EACH_SIDE = 2
FOLLOWED_SECONDS = 2.0  # a face that looks as it did is followed so long; a search takes fifty times as long
FOLLOWED_FACE_PX = 48
FOLLOWED_REACH = 0.25  # of the face's width, to each side
LIKE_FROM = 0.9  # correlation of the upper face with what it was; a blink or a turn is searched anew
STILL_LIKE_FROM = 0.8  # and where the search finds none; another face in its place is less like it
UPPER_FACE = (0.1, 0.08, 0.9, 0.62)  # left, top, right, bottom in shares of the box: it does not speak
SAME_FACE_DISTANCE = 0.6  # of the face's width: a face further from the last one seen is somebody else


@dataclass(frozen=True)
class Look:
    """One search for the face, and its outcome."""

    time_seconds: float
    face: Face | None


@dataclass(frozen=True)
class Place:
    """A face's place; lengths in pixels, roll clockwise positive."""

    centre_x: float
    centre_y: float
    width: float
    roll_degrees: float

    def patch(self, bgr: Image) -> Image:
        """The upright mouth region, uint8 (PATCH_PX, PATCH_PX, 3)."""
        cos, sin = np.cos(np.radians(self.roll_degrees)), np.sin(np.radians(self.roll_degrees))
        across, down = (REGION_CENTRE[0] - 0.5) * self.width, (REGION_CENTRE[1] - 0.5) * self.width
        middle = np.array([self.centre_x + across * cos - down * sin, self.centre_y + across * sin + down * cos])
        zoom = PATCH_PX / (REGION_WIDTH * self.width)
        turn = zoom * np.array([[cos, sin], [-sin, cos]])
        matrix = np.hstack([turn, (PATCH_PX / 2 - turn @ middle)[:, None]])
        smaller = cv2.GaussianBlur(bgr, (0, 0), 0.5 / zoom) if zoom < 0.6 else bgr  # warpAffine does not average
        patch = cv2.warpAffine(smaller, matrix, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(patch, np.uint8)


@dataclass(frozen=True)
class _Known:
    """A face as it looked when it was found."""

    time_seconds: float
    face: Face
    pattern: Image
    """Gray, of the upper face, reduced."""

    @classmethod
    def of(cls, face: Face, time_seconds: float, bgr: Image) -> "_Known | None":
        """None where the upper face is not inside of the picture."""
        part = _reduced(bgr, face, 0.0)
        return cls(time_seconds, face, part) if part is not None else None

    def found_again(self, bgr: Image, like_from: float) -> Face | None:
        around = _reduced(bgr, self.face, FOLLOWED_REACH)
        if around is None:
            return None
        likeness = np.asarray(cv2.matchTemplate(around, self.pattern, cv2.TM_CCOEFF_NORMED), np.float32)
        _, best, _, place = cv2.minMaxLoc(likeness)
        rows, columns = likeness.shape
        if not best >= like_from or not (0 < place[0] < columns - 1 and 0 < place[1] < rows - 1):
            return None
        across = place[0] + _top_between(likeness[place[1], place[0] - 1 : place[0] + 2])
        down = place[1] + _top_between(likeness[place[1] - 1 : place[1] + 2, place[0]])
        pixel = self.face.box.width / FOLLOWED_FACE_PX
        middle = (columns - 1) / 2, (rows - 1) / 2
        return self.face.shifted(round((across - middle[0]) * pixel), round((down - middle[1]) * pixel))


def _reduced(bgr: Image, face: Face, reach: float) -> Image | None:
    """The upper face and ``reach`` around it, gray, at FOLLOWED_FACE_PX a face; None where it is not all there."""
    box = face.box
    left, top, right, bottom = (
        round(origin + (share + side * reach) * box.width)
        for share, origin, side in zip(UPPER_FACE, (box.x, box.y, box.x, box.y), (-1, -1, 1, 1), strict=True)
    )
    if left < 0 or top < 0 or right > bgr.shape[1] or bottom > bgr.shape[0] or right - left < 8 or bottom - top < 8:
        return None
    scale = FOLLOWED_FACE_PX / box.width
    size = (
        round((UPPER_FACE[2] - UPPER_FACE[0] + 2 * reach) * FOLLOWED_FACE_PX),
        round((UPPER_FACE[3] - UPPER_FACE[1] + 2 * reach) * FOLLOWED_FACE_PX),
    )
    gray = cv2.cvtColor(bgr[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, size, interpolation=shrinking), np.uint8)


def _top_between(values: npt.NDArray[np.float32]) -> float:
    """Offset of a parabola's top from the middle of three values."""
    left, top, right = (float(value) for value in values)
    bend = left - 2 * top + right
    return 0.0 if bend >= 0 else min(0.5, max(-0.5, 0.5 * (left - right) / bend))


class MouthPlaces:
    """Collects looks in order of time and answers where the face was."""

    def __init__(self, eye: FaceLooks | None = None, choice: Choice = "largest") -> None:
        """
        Args:
            eye: what looks for faces; None: the cascades, and nothing is kept.
            choice: of several faces, at first.
        """
        self.looks: list[Look] = []
        self._eye = eye
        self._choice: Choice = choice
        self._known: _Known | None = None

    def look(self, time_seconds: float, bgr: Image) -> Look:
        """Search one frame. The face followed is the chosen one at first, then the one nearest to the last seen."""
        face = self._followed(time_seconds, bgr) or self._searched(time_seconds, bgr)
        if self._eye is not None:
            self._eye.settle(time_seconds, face, bgr)
        self.looks.append(Look(time_seconds, face))
        return self.looks[-1]

    def _searched(self, time_seconds: float, bgr: Image) -> Face | None:
        faces = find_faces(bgr) if self._eye is None else self._eye(time_seconds, bgr)
        previous = next((look.face for look in reversed(self.looks) if look.face), None)
        near = [face for face in faces if previous and _distance(face, previous) < SAME_FACE_DISTANCE]
        face = near[0] if near else choose_face(faces, None, self._choice, (bgr.shape[1], bgr.shape[0]))
        if face is None and self._known is not None:  # a detector misses a dark face now and then
            face = self._known.found_again(bgr, STILL_LIKE_FROM)
        is_placed = self._eye is not None and self._eye.is_placed
        self._known = _Known.of(face, time_seconds, bgr) if face and not is_placed else None
        return face

    def _followed(self, time_seconds: float, bgr: Image) -> Face | None:
        """The face where it has moved since it was found; None where that is not sure."""
        known = self._known
        if known is None or time_seconds - known.time_seconds > FOLLOWED_SECONDS:
            return None
        return known.found_again(bgr, LIKE_FROM)

    @property
    def settled_until_seconds(self) -> float:
        """Up to here ``at`` gives its final answer: the looks that vote on it have been taken."""
        settled = len(self.looks) - 1 - VOTERS_EACH_SIDE
        return self.looks[settled].time_seconds if settled >= 0 else -1.0

    @property
    def last_box(self) -> Box | None:
        """Of the newest look."""
        face = self.looks[-1].face if self.looks else None
        return face.box if face else None

    def at(self, time_seconds: float) -> Place | None:
        """None before any look, and where neither the look before nor the one after saw a face."""
        if not self.looks:
            return None
        after = bisect_right(self.looks, time_seconds, key=lambda look: look.time_seconds)
        first, second = max(0, after - 1), min(after, len(self.looks) - 1)
        if not self.looks[first].face and not self.looks[second].face:
            return None
        start, end = self._voted(first), self._voted(second)
        span = self.looks[second].time_seconds - self.looks[first].time_seconds
        share = (time_seconds - self.looks[first].time_seconds) / span if span > 0 else 0.0
        share = min(1.0, max(0.0, share))
        return Place(*(float(a + (b - a) * share) for a, b in zip(start, end, strict=True)))

    def _voted(self, index: int) -> tuple[float, float, float, float]:
        """Median of the faces seen around look ``index``."""
        around = self.looks[max(0, index - VOTERS_EACH_SIDE) : index + VOTERS_EACH_SIDE + 1]
        seen = [(*look.face.centre, float(look.face.box.width), look.face.roll_degrees) for look in around if look.face]
        x, y, width, roll = (median(values) for values in zip(*seen, strict=True))
        return x, y, width, roll


def _distance(first: Face, second: Face) -> float:
    """Between centres, in widths of the second face."""
    dx, dy = first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]
    return float(np.hypot(dx, dy)) / second.box.width
