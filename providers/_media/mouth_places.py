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

    def look(self, time_seconds: float, bgr: Image) -> Look:
        """Search one frame. The face followed is the chosen one at first, then the one nearest to the last seen."""
        faces = find_faces(bgr) if self._eye is None else self._eye(time_seconds, bgr)
        previous = next((look.face for look in reversed(self.looks) if look.face), None)
        near = [face for face in faces if previous and _distance(face, previous) < SAME_FACE_DISTANCE]
        face = near[0] if near else choose_face(faces, None, self._choice, (bgr.shape[1], bgr.shape[0]))
        if self._eye is not None:
            self._eye.settle(time_seconds, face, bgr)
        self.looks.append(Look(time_seconds, face))
        return self.looks[-1]

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
