"""What shows between parted lips: the dark of the mouth, teeth, tongue. Drawn, or the photo's own teeth reused.

Upper teeth belong to the skull: they stay where they are while the lips move over them.
"""

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.faces import Image

Floats = npt.NDArray[np.float32]

THROAT_BGR = np.array([15, 14, 34], np.float32)
TONGUE_BGR = np.array([80, 82, 150], np.float32)
TEETH_BGR = np.array([186, 204, 212], np.float32)
TYPICAL_SKIN_BGR = np.array([132, 152, 196], np.float32)  # under which these colours are right
TEETH_EDGE = 0.075  # the incisors' edge below the line where the lips meet, in half widths (about 2 mm)
TEETH_HALF_WIDTH = 0.82


def smoothstep(values: Floats, start: float, end: float) -> Floats:
    """0 at ``start`` and before, 1 at ``end`` and after, smooth between."""
    t = np.clip((values - np.float32(start)) * np.float32(1 / (end - start)), 0, 1)
    return t * t * (3 - 2 * t)


class MouthInterior:
    """Paints between the lips of one region."""

    def __init__(self, source: Image, v: Floats, pixel: float, *, own_teeth: bool) -> None:
        """The colours follow the light that lies on the skin of ``source``.

        Args:
            v: the region's coordinate, float32 (h, w).
            pixel: size of a pixel in half widths.
        """
        self._source = source
        self._v = v
        self._own_teeth = own_teeth
        self._soft = max(0.9 * pixel, 0.018)
        self._blur_px = max(0.4, 0.012 / pixel)
        skin = np.median(source.reshape(-1, 3), axis=0).astype(np.float32)
        self._light = np.clip((skin + 1) / TYPICAL_SKIN_BGR, 0.25, 1.3) ** np.float32(0.7)

    def draw(
        self,
        picture: Floats,
        source_u: Floats,
        lips: tuple[Floats, Floats],
        rest: tuple[Floats, Floats, Floats],
        opening: float,
        teeth: float,
    ) -> Image:
        """``picture`` (float32 (h, w, 3), changed in place) with the inside of the mouth, as uint8.

        ``lips`` are v of the upper and lower inner edge per pixel; ``rest`` the photographed ones and the meeting line.
        """
        upper, lower = lips
        rows, columns = _bounds((lower - upper > 0.004) & (np.abs(source_u) < 1) & _between(self._v, lips, 0.1))
        if rows.stop <= rows.start:
            return _as_image(picture)
        part = (rows, columns)
        v, u, up, low = self._v[part], source_u[part], upper[part], lower[part]
        inside = self._coverage(v, u, up, low)
        content = self._content(v, u, up, low, tuple(item[part] for item in rest), opening, teeth, part)
        picture[part] += (content - picture[part]) * inside[..., None]
        return _as_image(picture)

    def _coverage(self, v: Floats, u: Floats, upper: Floats, lower: Floats) -> Floats:
        soft = self._soft
        return (
            smoothstep(v - upper, -soft, soft)
            * (1 - smoothstep(v - lower, -soft, soft))
            * smoothstep(1 - np.abs(u), 0.0, 0.06)
            * smoothstep(lower - upper, 0.012, 0.05)
        )

    def _content(
        self,
        v: Floats,
        u: Floats,
        upper: Floats,
        lower: Floats,
        rest: tuple[Floats, ...],
        opening: float,
        teeth: float,
        part: tuple[slice, slice],
    ) -> Floats:
        rest_upper, rest_lower, meeting = rest
        depth = np.clip((v - upper) / np.maximum(lower - upper, 1e-3), 0, 1)
        content = THROAT_BGR * self._light * (0.5 + 0.6 * depth)[..., None]
        if opening > 0.25:
            self._add_tongue(content, u, depth, opening)
        if self._own_teeth:
            own = smoothstep(v - rest_upper, -0.03, 0.01) * (1 - smoothstep(v - rest_lower, -0.075, -0.02))
            content += (self._source[part].astype(np.float32) - content) * own[..., None]
            lit = 0.5 + 0.5 * min(1.0, 0.2 + 1.6 * teeth)  # rounded lips keep the light out
            shadow = lit * (0.72 + 0.28 * smoothstep(v - upper, 0.0, 0.10))
        else:
            self._add_teeth(content, v, u, meeting, teeth)
            shadow = 0.50 + 0.50 * smoothstep(v - upper, 0.0, 0.12)
        content *= shadow[..., None]
        return np.asarray(cv2.GaussianBlur(content, (0, 0), self._blur_px), np.float32)

    def _add_tongue(self, content: Floats, u: Floats, depth: Floats, opening: float) -> None:
        strength = min(1.0, (opening - 0.25) * 2.2) * 0.6
        tongue = np.exp(-((u / np.float32(0.55)) ** 2)) * smoothstep(depth, 0.55, 0.98) * np.float32(strength)
        content += (TONGUE_BGR * self._light - content) * tongue[..., None]

    def _add_teeth(self, content: Floats, v: Floats, u: Floats, meeting: Floats, teeth: float) -> None:
        edge = meeting + np.float32(TEETH_EDGE) - np.float32(0.06) * u * u
        there = (1 - smoothstep(v - edge, -0.02, 0.025)) * (1 - smoothstep(np.abs(u), 0.5, TEETH_HALF_WIDTH))
        gaps = 1 - 0.10 * np.exp(-(((np.abs((u * np.float32(5.2)) % 1 - 0.5)) / np.float32(0.06)) ** 2))
        colour = TEETH_BGR * np.minimum(np.sqrt(self._light), 1.05) * ((1 - 0.45 * u * u) * gaps)[..., None]
        content += (colour - content) * (there * np.float32(0.9 * min(1.0, 0.25 + teeth)))[..., None]


def _between(v: Floats, lips: tuple[Floats, Floats], margin: float) -> npt.NDArray[np.bool_]:
    return (v > lips[0] - np.float32(margin)) & (v < lips[1] + np.float32(margin))


def _bounds(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest part of the region that holds the mask; empty slices when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _as_image(picture: Floats) -> Image:
    return np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)
