"""Faces by YuNet, a small network whose ONNX file the user brings: quicker than the cascades, and it sees turned heads.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023), by OpenCV's ``FaceDetectorYN``.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from contracts.errors import ProviderUnavailable
from providers._media.faces import EYE_DISTANCE, Face, Image

SEARCH_LONG_SIDE_PX = 640
LEAST_SCORE = 0.6
MOST_OVERLAP = 0.3
EYES_DOWN = 0.38  # of the cascade's square, where the eyes lie


class YuNet:
    """Call it with a picture."""

    def __init__(self, model: Path) -> None:
        """Raises: ProviderUnavailable: the file is missing or no such network."""
        try:
            size = (SEARCH_LONG_SIDE_PX, SEARCH_LONG_SIDE_PX)
            network = np.frombuffer(model.read_bytes(), np.uint8)  # of a file, OpenCV would judge by its ending
            nothing = np.zeros(0, np.uint8)
            self._detector = cv2.FaceDetectorYN.create("onnx", network, nothing, size, LEAST_SCORE, MOST_OVERLAP)
            self._detector.detect(np.zeros((size[1], size[0], 3), np.uint8))
        except (cv2.error, OSError) as error:
            raise ProviderUnavailable(
                f"expected YuNet as an ONNX file in {model}, got one that OpenCV does not read; put the file there"
            ) from error

    def __call__(self, bgr: Image, expected: Face | None = None) -> list[Face]:
        """All faces seen, largest first; what is expected makes it no quicker."""
        scale = min(1.0, SEARCH_LONG_SIDE_PX / max(bgr.shape[:2]))
        small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else bgr
        self._detector.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._detector.detect(small)
        found = cast(npt.NDArray[Any] | None, rows)  # None where there are none
        return sorted(_faces(found, scale), key=lambda face: -face.box.width)


def _faces(rows: npt.NDArray[Any] | None, scale: float) -> Iterator[Face]:
    """Of rows (n, 15): box, right and left eye, nose, mouth corners, score; in pixels of the small picture.

    As the square that the cascade would draw, by the pair of eyes, so that all that follows counts alike.
    """
    for row in rows if rows is not None else ():
        right, left = np.asarray(row[4:6], np.float64) / scale, np.asarray(row[6:8], np.float64) / scale
        across = left - right
        distance = float(np.hypot(*across))
        side = max(1.0, distance / EYE_DISTANCE, float(row[2]) / scale)
        roll = math.degrees(math.atan2(across[1], across[0]))
        down = (0.5 - EYES_DOWN) * side
        centre = (right + left) / 2 + down * np.array([-math.sin(math.radians(roll)), math.cos(math.radians(roll))])
        x, y = (round(float(place) - side / 2) for place in centre)
        yield Face(Box(x=x, y=y, width=round(side), height=round(side)), roll, min(1.0, max(0.0, float(row[14]))))
