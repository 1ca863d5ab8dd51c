"""Faces out of frames for the generator, and its faces back into the frames. Only the face's box is touched."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.faces import Image

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

FACE_PX = 96
HIDDEN_FROM_ROW = 48
EDGE_SHARE = 0.16  # of the box, over which the new face comes in from the sides
TOP_SHARES = (0.36, 0.54)  # of the box's height: above stays as it is, eyes and nose; below is new


def cropped(bgr: Image, box: Box) -> Image:
    """uint8 (96, 96, 3) of the box, stretched to a square as in training."""
    part = bgr[box.y : box.y + box.height, box.x : box.x + box.width]
    return np.asarray(cv2.resize(part, (FACE_PX, FACE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def network_input(face: Image) -> npt.NDArray[np.float32]:
    """float32 (6, 96, 96), 0..1, of uint8 (96, 96, 3): the face with its lower half black, then as it is."""
    planes = face.transpose(2, 0, 1) / np.float32(255)  # (3, 96, 96)
    found = np.concatenate([planes, planes]).astype(np.float32)
    found[:3, HIDDEN_FROM_ROW:] = 0
    return found


def paste_whole(frame: Image, box: Box, face: npt.NDArray[np.float32]) -> None:
    """Change ``frame`` in place as the original does: the whole box, cut to whole levels, with a hard edge.

    Args:
        face: (3, 96, 96), 0..1.
    """
    levels = (face.transpose(1, 2, 0) * 255).astype(np.uint8)
    frame[box.y : box.y + box.height, box.x : box.x + box.width] = cv2.resize(levels, (box.width, box.height))


def blend(frame: Image, box: Box, face: npt.NDArray[np.float32], strength: float = 1.0) -> None:
    """Change ``frame`` in place: the lower face is new, softly at its borders; the rest of the box stays.

    Args:
        face: (3, 96, 96), 0..1.
        strength: 0 leaves the frame as it is, 1 shows the new face.
    """
    part = frame[box.y : box.y + box.height, box.x : box.x + box.width]
    above = cv2.resize(face.transpose(1, 2, 0), (box.width, box.height), interpolation=cv2.INTER_CUBIC)
    above = np.clip(above * np.float32(255), 0, 255)
    below = part.astype(np.float32)
    below += (above - below) * (feather(box.width, box.height) * np.float32(strength))[..., None]
    np.copyto(part, (below + 0.5).astype(np.uint8))


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
