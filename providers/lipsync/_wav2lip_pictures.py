"""Faces out of frames for the generator, and its faces back into the frames. Only the face's box is touched."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.faces import Image

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

FACE_PX = 96
HIDDEN_FROM_ROW = 48
EDGE_SHARE = 0.16  # of the box, over which the new face comes in from the sides
TOP_SHARES = (0.36, 0.54)  # of the box's height: above stays as it is, eyes and nose; below is new


def cropped(part: Image) -> Image:
    """uint8 (96, 96, 3) of what a box shows, stretched to a square as in training."""
    return np.asarray(cv2.resize(part, (FACE_PX, FACE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def network_input(face: Image) -> npt.NDArray[np.float32]:
    """float32 (6, 96, 96), 0..1, of uint8 (96, 96, 3): the face with its lower half black, then as it is."""
    planes = face.transpose(2, 0, 1) / np.float32(255)  # (3, 96, 96)
    found = np.concatenate([planes, planes]).astype(np.float32)
    found[:3, HIDDEN_FROM_ROW:] = 0
    return found


def whole(part: Image, face: npt.NDArray[np.float32]) -> Image:
    """What the box of ``part`` shows as the original has it: all new, cut to whole levels.

    Args:
        face: (3, 96, 96), 0..1.
    """
    height, width = part.shape[:2]
    return np.asarray(cv2.resize((face.transpose(1, 2, 0) * 255).astype(np.uint8), (width, height)), np.uint8)


def blended(part: Image, face: npt.NDArray[np.float32], strength: float = 1.0) -> Image:
    """What the box of ``part`` shows from ``unchanged_rows`` down: the lower face is new, softly at its borders.

    Args:
        face: (3, 96, 96), 0..1.
        strength: 0 leaves all as it is, 1 shows the new face.
    """
    height, width = part.shape[:2]
    first = unchanged_rows(height)
    levels = (face.transpose(1, 2, 0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)  # (96, 96, 3)
    above = cv2.resize(levels, (width, height), interpolation=cv2.INTER_CUBIC)[first:]
    share = feather(width, height)[first:] * np.float32(strength)
    return np.asarray(cv2.blendLinear(above, part[first:], share, 1 - share), np.uint8)


def unchanged_rows(height: int) -> int:
    """Rows at the top of a box of this height that ``blended`` leaves as they are; even."""
    return int(TOP_SHARES[0] * height) // 2 * 2


@lru_cache(maxsize=8)
def feather(width: int, height: int) -> Floats:
    """Weight of the new face per pixel of its box, 0 at the border; float32 (height, width)."""
    across = (np.arange(width, dtype=np.float32) + 0.5) / width
    down = (np.arange(height, dtype=np.float32) + 0.5) / height
    sides = _smooth(np.minimum(across, 1 - across) / EDGE_SHARE)
    top, full = TOP_SHARES
    rows = _smooth((down - top) / (full - top)) * _smooth((1 - down) / (EDGE_SHARE / 2))
    return np.asarray(rows[:, None] * sides[None], np.float32)


def _smooth(share: Floats) -> Floats:
    """0 at 0 and below, 1 at 1 and above."""
    t = np.clip(share, 0, 1)
    return t * t * (3 - 2 * t)
