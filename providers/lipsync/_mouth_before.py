"""Some frames as they were before a mouth was drawn, small, beside the aligned video: what a review compares with."""

from pathlib import Path

import cv2
import numpy as np

from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.planar import Planar, planes

LONG_SIDE_PX = 480
EVERY_SECONDS = 0.2
"""As often as a review looks; each of them is a frame of the aligned video, at its time."""


class BeforeWriter(VideoWriter):
    """Takes the frames whose number ``every`` divides: planar, of any size; scales them down."""

    def __init__(self, path: Path, width: int, height: int, fps: float, profile: DeliveryProfile) -> None:
        """``width``, ``height`` and ``fps`` of the aligned video."""
        width, height = before_size(width, height)
        self.every = max(1, round(fps * EVERY_SECONDS))
        quick = profile.model_copy(update={"preset": "ultrafast", "crf": 20})
        super().__init__(path, width=width, height=height, fps=fps / self.every, profile=quick)
        self._small_shape = (height * 3 // 2, width)

    def write_planar(self, picture: Planar) -> None:
        if picture.shape != self._small_shape:
            picture = self._smaller(picture)
        super().write_planar(picture)

    def _smaller(self, picture: Planar) -> Planar:
        found = np.empty(self._small_shape, np.uint8)
        for plane, small in zip(planes(picture), planes(found), strict=True):
            halves = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
            near = halves if halves.shape[0] >= small.shape[0] else plane  # averaging is quick by whole numbers only
            small[:] = cv2.resize(near, small.shape[1::-1], interpolation=cv2.INTER_LINEAR_EXACT)
        return found


def before_size(width: int, height: int) -> tuple[int, int]:
    """Even width and height for frames of that size."""
    scale = min(1.0, LONG_SIDE_PX / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))
