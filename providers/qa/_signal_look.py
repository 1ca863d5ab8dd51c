"""How a picture looks where somebody looked: how sharp the face is, and whether brightness stays in its range.

Taken from the file's own brightness at full size, a few times a second: smaller pictures are always sharp.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box

Image = npt.NDArray[np.uint8]

BLUR_WINDOW_PX = 9  # of the blur that the metric adds (Crete et al., The blur effect, SPIE 6492, 2007)
MOST_FACE_PX = 480  # of the face's height that is looked at; larger ones are taken from their middle
LOWEST_LEVEL, HIGHEST_LEVEL = 5, 246  # of 8 bits in limited range: EBU R 103, video levels -5 % .. 105 %
LEVELS_STEP_PX = 4


@dataclass
class Look:
    """One entry for each time that the face was looked for."""

    times_seconds: list[float] = field(default_factory=list)
    blur: list[float] = field(default_factory=list)
    """0 sharp .. 1 nothing but blur, of the face; NaN without one."""
    outside_levels: list[float] = field(default_factory=list)
    """Share of the picture outside of the levels of EBU R 103."""

    def add(self, time_seconds: float, luma: Image, face: Box | None, scale: float) -> None:
        """``scale``: pixels of ``luma`` for one of ``face``."""
        self.times_seconds.append(time_seconds)
        some = luma[::LEVELS_STEP_PX, ::LEVELS_STEP_PX]
        self.outside_levels.append(float(((some < LOWEST_LEVEL) | (some > HIGHEST_LEVEL)).mean()))
        self.blur.append(float("nan") if face is None else blur_of(_face(luma, face, scale)))


def blur_of(gray: Image) -> float:
    """How little neighbouring pixels change less when they are blurred once more: 0 sharp .. 1 blurred already."""
    sharp = gray.astype(np.float32)
    shares: list[float] = []
    for axis, window in ((0, (1, BLUR_WINDOW_PX)), (1, (BLUR_WINDOW_PX, 1))):
        change = np.abs(np.diff(sharp, axis=axis))
        smooth = np.abs(np.diff(cv2.blur(sharp, window), axis=axis))
        total = float(change.sum())
        shares.append(1 - float(np.maximum(0, change - smooth).sum()) / total if total > 0 else 1.0)
    return max(shares)


def _face(luma: Image, face: Box, scale: float) -> Image:
    height, width = luma.shape
    centre = round((face.x + face.width / 2) * scale), round((face.y + face.height / 2) * scale)
    half = min(round(face.height * scale / 2), MOST_FACE_PX // 2)
    top, left = max(0, centre[1] - half), max(0, centre[0] - half)
    return luma[min(top, height - 2) : max(centre[1] + half, 2), min(left, width - 2) : max(centre[0] + half, 2)]
