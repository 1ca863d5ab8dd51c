"""What changed besides the mouth: the head in the finished picture beside the frame before a mouth was drawn.

The mouth's place is this review's own: the renderer's mask is not asked. A head that sways or breathes does so in both
pictures, so only what lip-sync did to the face counts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.frames import PlanarFrame, read_planar_frames
from providers._media.planar import planes

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

EVERY_SECONDS = 0.2
SAME_MOMENT_SECONDS = 0.02
HEAD = (-0.25, -0.25, 1.25, 1.2)  # left, top, right, bottom in shares of the face's box: hair to chin
MOUTH = (0.0, 0.52, 1.0, 1.2)  # from the nose's tip down, as wide as the face: the jaw moves with the mouth
WINDOW_PX, SIGMA = 11, 1.5  # and the constants below: Wang et al., Image quality assessment, 2004
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
LOWEST_LUMA, LUMA_RANGE = 16, 219


class Likeness(NamedTuple):
    """``ssim``: structural similarity of the head without the mouth, 1 where nothing else changed."""

    time_seconds: float
    ssim: float


class BeforeMouth:
    """Reads frames from before a mouth was drawn beside the finished ones, and compares those of the same moment."""

    def __init__(self, path: Path) -> None:
        """Raises (here and later): ProviderRejected: it does not decode."""
        self._frames: Iterator[PlanarFrame] = read_planar_frames(path)
        self._shown: PlanarFrame | None = None
        self._next = next(self._frames, None)
        self._found: list[Likeness] = []

    @property
    def found(self) -> tuple[Likeness, ...]:
        return tuple(self._found)

    def compare(self, time_seconds: float, gray: Image, face: Box | None) -> None:
        """``gray`` uint8 (H, W) of the finished picture, full range; ``face`` in its pixels."""
        if face is None or (self._found and time_seconds < self._found[-1].time_seconds + EVERY_SECONDS - 0.001):
            return
        while self._next is not None and self._next.time_seconds <= time_seconds + 0.001:
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None or time_seconds > self._shown.time_seconds + SAME_MOMENT_SECONDS:
            return
        before = planes(self._shown.picture)[0]
        if before.shape != gray.shape:
            before = np.asarray(cv2.resize(before, gray.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        part = _inside(_part(face, HEAD), gray.shape)
        if part is None:
            return
        first, second = (picture[part[1] : part[3], part[0] : part[2]] for picture in (gray, before))
        full_range = (second.astype(np.float32) - LOWEST_LUMA) * (255 / LUMA_RANGE)
        likeness = ssim_map(first.astype(np.float32), full_range)
        left, top, right, bottom = (
            edge - origin for edge, origin in zip(_part(face, MOUTH), (part[0], part[1]) * 2, strict=True)
        )
        margin = WINDOW_PX // 2
        likeness[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin] = np.nan
        if np.isfinite(likeness).any():
            self._found.append(Likeness(time_seconds, float(np.nanmean(likeness))))


def ssim_map(first: Floats, second: Floats) -> Floats:
    """Structural similarity around each pixel of two float32 (H, W) pictures of 0..255."""

    def around(values: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(values, (WINDOW_PX, WINDOW_PX), SIGMA), np.float32)

    mean_1, mean_2 = around(first), around(second)
    power_1, power_2 = around(first * first) - mean_1**2, around(second * second) - mean_2**2
    shared = around(first * second) - mean_1 * mean_2
    top = (2 * mean_1 * mean_2 + C1) * (2 * shared + C2)
    return np.asarray(top / ((mean_1**2 + mean_2**2 + C1) * (power_1 + power_2 + C2)), np.float32)


def _part(face: Box, shares: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels."""
    left, top, right, bottom = shares
    return (
        round(face.x + left * face.width),
        round(face.y + top * face.height),
        round(face.x + right * face.width),
        round(face.y + bottom * face.height),
    )


def _inside(part: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    left, top, right, bottom = part
    left, top, right, bottom = max(0, left), max(0, top), min(shape[1], right), min(shape[0], bottom)
    return (left, top, right, bottom) if right - left > WINDOW_PX and bottom - top > WINDOW_PX else None
