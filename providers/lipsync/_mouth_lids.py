"""Upper lids that close over the eyes of a photo: skin from below the brow is drawn down, lashes at its edge."""

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.eye_landmarks import Eye
from providers._media.faces import Image
from providers.lipsync._mouth_interior import smoothstep

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

GIVING_SKIN = 0.62  # half widths of the eye: so far above the lid the skin gives way, if the brow is no nearer
LEAST_SKIN = 0.22  # a brow so near to the eye would be drawn down with it
SHUT_AT = 0.95  # of the way to the lower lid, which hardly moves
LASHES = 0.075  # half widths
LASH_DARKNESS = 0.5


class Lids:
    """Both eyes of one picture."""

    def __init__(self, source: Image, eyes: tuple[Eye, Eye] | None) -> None:
        """``source``: uint8 (H, W, 3), the eyes as photographed."""
        self._source = source
        enough = eyes is not None and all(eye.skin_above_px >= LEAST_SKIN * eye.half_width_px for eye in eyes)
        self._eyes = eyes if eyes is not None and enough else ()

    def drawn(self, shut: float) -> Iterator[tuple[Box, Image]]:
        """What changes when the lids are shut 0..1: boxes, and what they show, uint8 (height, width, 3)."""
        if shut > 0:
            for eye in self._eyes:
                yield _drawn_lid(self._source, eye, np.float32(shut))


def _drawn_lid(source: Image, eye: Eye, shut: np.float32) -> tuple[Box, Image]:
    size = eye.half_width_px
    reach = int(1.3 * size) + 2
    x, y = round(eye.centre_px[0]), round(eye.centre_px[1])
    rows = slice(max(0, y - reach), min(source.shape[0], y + reach + 1))
    columns = slice(max(0, x - reach), min(source.shape[1], x + reach + 1))
    u, v, to_x, to_y = _coordinates(eye, rows, columns)
    room = np.clip(1 - u * u, 0, 1)
    lid = -np.float32(eye.above_px / size) * room
    lower = np.float32(eye.below_px / size) * room
    edge = lid + shut * np.float32(SHUT_AT) * (lower - lid)
    fixed = lid - np.float32(min(GIVING_SKIN, 0.9 * eye.skin_above_px / size))
    drawn = fixed + (v - fixed) * (lid - fixed) / np.maximum(edge - fixed, np.float32(1e-3))
    from_v = np.where((v > fixed) & (v < edge), drawn, v)
    part = source[rows, columns]
    skin = cv2.remap(part, *_picture_places(u, from_v, to_x, to_y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = max(0.8 / size, 0.03)
    covered = (1 - smoothstep(v - edge, -soft, soft)) * smoothstep(room, 0.0, 0.12)
    lashes = np.exp(-(((v - edge) / np.float32(LASHES)) ** 2)) * smoothstep(room, 0.05, 0.4) * shut
    drawn_eye = part + (skin.astype(np.float32) - part) * covered[..., None]
    drawn_eye *= (1 - np.float32(LASH_DARKNESS) * lashes)[..., None]
    box = Box(x=columns.start, y=rows.start, width=part.shape[1], height=part.shape[0])
    return box, np.clip(drawn_eye + np.float32(0.5), 0, 255).astype(np.uint8)


def _coordinates(eye: Eye, rows: slice, columns: slice) -> tuple[Floats, Floats, Floats, Floats]:
    """u to the right and v down in the eye's half widths per pixel; and the two rows that lead back to pixels."""
    roll = math.radians(eye.roll_degrees)
    cos, sin = np.float32(math.cos(roll)), np.float32(math.sin(roll))
    x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
    dx = ((x - eye.centre_px[0]) / eye.half_width_px).astype(np.float32)
    dy = ((y - eye.centre_px[1]) / eye.half_width_px).astype(np.float32)
    size = np.float32(eye.half_width_px)
    to_x = np.array([cos * size, -sin * size, eye.centre_px[0] - columns.start], np.float32)
    to_y = np.array([sin * size, cos * size, eye.centre_px[1] - rows.start], np.float32)
    return dx * cos + dy * sin, -dx * sin + dy * cos, to_x, to_y


def _picture_places(u: Floats, v: Floats, to_x: Floats, to_y: Floats) -> tuple[Floats, Floats]:
    return u * to_x[0] + v * to_x[1] + to_x[2], u * to_y[0] + v * to_y[1] + to_y[2]
