"""The frames before a mouth was drawn, kept at reduced size beside the aligned video: what a review compares with."""

from pathlib import Path

import cv2
import numpy as np

from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.faces import Image

LONG_SIDE_PX = 480


class BeforeWriter(VideoWriter):
    """Writes frames of any size, scaled down."""

    def __init__(self, path: Path, shape: tuple[int, ...], fps: float, profile: DeliveryProfile) -> None:
        """``shape`` of the aligned video's frames, (H, W, 3)."""
        self._before_size = before_size(shape)
        width, height = self._before_size
        quick = profile.model_copy(update={"preset": "ultrafast", "crf": 20})
        super().__init__(path, width=width, height=height, fps=fps, profile=quick)

    def write(self, bgr: Image) -> None:
        if bgr.shape[1::-1] != self._before_size:
            bgr = np.asarray(cv2.resize(bgr, self._before_size, interpolation=cv2.INTER_AREA), np.uint8)
        super().write(bgr)


def before_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) for frames of ``shape`` (H, W, 3)."""
    scale = min(1.0, LONG_SIDE_PX / max(shape[:2]))
    return max(2, round(shape[1] * scale)), max(2, round(shape[0] * scale))
