"""What shows between parted lips: the dark of the mouth, teeth, tongue. Drawn, or the photo's own teeth reused.

Upper teeth belong to the skull: they stay where they are while the lips move over them.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.faces import Image

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

THROAT_BGR = np.array([15, 14, 34], np.float32)
TONGUE_BGR = np.array([80, 82, 150], np.float32)
TEETH_BGR = np.array([166, 185, 197], np.float32)
TYPICAL_SKIN_BGR = np.array([132, 152, 196], np.float32)  # under which these colours are right
TEETH_EDGE = 0.075  # the incisors' edge below the line where the lips meet, in half widths (about 2 mm)
TEETH_HALF_WIDTH = 0.82
TEETH_PER_HALF_WIDTH = 5.2


def smoothstep(values: Floats, start: float, end: float) -> Floats:
    """0 at ``start`` and before, 1 at ``end`` and after, smooth between."""
    t = values - np.float32(start)
    t *= np.float32(1 / (end - start))
    np.clip(t, np.float32(0), np.float32(1), out=t)
    rest = t * np.float32(-2)
    rest += 3
    t *= t
    t *= rest
    return t


@dataclass(frozen=True)
class LipBand:
    """The part of a region around the lips, per pixel; float32 (h, w) each, in half widths."""

    v: Floats
    u: Floats
    """Of the photographed mouth: -1 and 1 are its corners whatever the pose."""
    upper: Floats
    """v of the upper lip's inner edge in the pose, above or below the pixel; so ``lower``."""
    lower: Floats
    rest_upper: Floats
    """As photographed; so ``rest_lower``."""
    rest_lower: Floats
    meeting: Floats
    """Where the lips meet when they close."""


def draw_seam(picture: Floats, band: LipBand) -> None:
    """Darken the line between closed lips that were photographed parted; ``picture``: float32 (h, w, 3), in place."""
    touching = 1 - smoothstep(band.lower - band.upper, 0.01, 0.07)
    across = 1 - smoothstep(np.abs(band.u), 0.80, 1.0)
    line = np.exp(-(((band.v - (band.upper + band.lower) * np.float32(0.5)) / np.float32(0.035)) ** 2))
    picture *= (1 - np.float32(0.42) * touching * across * line)[..., None]


class MouthInterior:
    """Paints between the lips of one region."""

    def __init__(self, source: Image, pixel: float, *, own_teeth: bool) -> None:
        """The colours follow the light that lies on the skin of ``source``, uint8 (h, w, 3).

        Args:
            pixel: size of a pixel in half widths.
            own_teeth: the photo shows what is behind the lips, and it is reused.
        """
        self._own_teeth = own_teeth
        self._soft = max(0.9 * pixel, 0.018)
        self._blur_px = max(0.4, 0.012 / pixel)
        skin = np.median(source.reshape(-1, 3), axis=0).astype(np.float32)
        self._light = np.clip((skin + 1) / TYPICAL_SKIN_BGR, 0.25, 1.3) ** np.float32(0.7)

    def draw(self, picture: Floats, source: Image, band: LipBand, opening: float, teeth: float) -> None:
        """Change ``picture``, float32 (h, w, 3), in place.

        Args:
            source: the same part of the photo, uint8 (h, w, 3).
            opening, teeth: of the pose.
        """
        inside = self._coverage(band)
        content = self._content(band, source, opening, teeth)
        picture += (content - picture) * inside[..., None]

    def _coverage(self, band: LipBand) -> Floats:
        soft = self._soft
        return (
            smoothstep(band.v - band.upper, -soft, soft)
            * (1 - smoothstep(band.v - band.lower, -soft, soft))
            * smoothstep(1 - np.abs(band.u), 0.0, 0.06)
            * smoothstep(band.lower - band.upper, 0.012, 0.05)
        )

    def _content(self, band: LipBand, source: Image, opening: float, teeth: float) -> Floats:
        below_lip = band.v - band.upper
        depth = np.clip(below_lip / np.maximum(band.lower - band.upper, np.float32(1e-3)), 0, 1)
        content = THROAT_BGR * self._light * (np.float32(0.5) + np.float32(0.6) * depth)[..., None]
        if opening > 0.25:
            self._add_tongue(content, band.u, depth, opening)
        if self._own_teeth:
            own = smoothstep(band.v - band.rest_upper, -0.03, 0.01)
            own = own * (1 - smoothstep(band.v - band.rest_lower, -0.075, -0.02))
            content += (source.astype(np.float32) - content) * own[..., None]
            lit = np.float32(0.5 + 0.5 * min(1.0, 0.2 + 1.6 * teeth))  # rounded lips keep the light out
            shadow = lit * (np.float32(0.72) + np.float32(0.28) * smoothstep(below_lip, 0.0, 0.10))
        else:
            self._add_teeth(content, band, teeth)
            shadow = np.float32(0.5) + np.float32(0.5) * smoothstep(below_lip, 0.0, 0.12)
        content *= shadow[..., None]
        return np.asarray(cv2.GaussianBlur(content, (0, 0), self._blur_px), np.float32)

    def _add_tongue(self, content: Floats, u: Floats, depth: Floats, opening: float) -> None:
        strength = min(1.0, (opening - 0.25) * 2.2) * 0.8
        tongue = np.exp(-((u / np.float32(0.55)) ** 2)) * smoothstep(depth, 0.5, 0.95) * np.float32(strength)
        content += (TONGUE_BGR * self._light - content) * tongue[..., None]

    def _add_teeth(self, content: Floats, band: LipBand, teeth: float) -> None:
        across = band.u * band.u
        edge = band.meeting + np.float32(TEETH_EDGE) - np.float32(0.06) * across
        there = 1 - smoothstep(band.v - edge, -0.02, 0.025)
        there = there * (1 - smoothstep(np.abs(band.u), 0.5, TEETH_HALF_WIDTH))
        place = np.abs(band.u * np.float32(TEETH_PER_HALF_WIDTH) % 1 - np.float32(0.5)) / np.float32(0.06)
        between = 1 - np.float32(0.10) * np.exp(-(place**2))
        light = np.minimum(np.sqrt(self._light), np.float32(1.05))
        colour = TEETH_BGR * light * ((1 - np.float32(0.45) * across) * between)[..., None]
        content += (colour - content) * (there * np.float32(0.9 * min(1.0, 0.25 + teeth)))[..., None]
