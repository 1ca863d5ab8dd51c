"""A mouth that can take any pose: the lower face of one picture, warped, with what shows between the lips drawn in.

Works on the region around the mouth only. Coordinates are the mouth's own (see ``MouthLandmarks``): u right, v down,
in half widths of the mouth. Not here: which pose when (``providers._speech.visemes``), nor putting the region back
into a frame (``_mouth_compose``).
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.faces import Image
from providers._media.mouth_landmarks import CONTOUR_U, MouthLandmarks
from providers.lipsync._mouth_interior import LipBand, MouthInterior, draw_seam, smoothstep

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

WIDEST_GAP = 0.60  # between the lips at opening 1, in half widths
WIDEST_GAP_SMILING = 0.50  # a smile has widened the mouth by about a fifth already
UPPER_SHARE = 0.22  # of the opening is made by the upper lip, the rest by the jaw
MEETING_SHARE = 0.45  # of a parted mouth's gap is closed by the upper lip
PARTED_GAP = 0.06  # from here on a mouth shows what is behind the lips
LOWEST_CHIN = 1.9  # v; of a longer face only this much
TABLE_SIZE = 512
BAND_MARGIN = 0.15
FINER = 2


@dataclass(frozen=True)
class Reach:
    """How far from the mouth's centre its movements go, in half widths; further out nothing changes."""

    across: float
    up: float
    down: float
    jaw_from: float
    """v from which the skin gives way to what stays, down to ``down``."""

    @classmethod
    def of_photo(cls, mouth: MouthLandmarks) -> "Reach":
        """The jaw drops with its outline, and the throat below gives way."""
        return cls(2.2, 0.95, mouth.chin + 0.75, 0.72 * mouth.chin)

    @classmethod
    def of_video(cls, mouth: MouthLandmarks) -> "Reach":
        """Lips and chin alone: the film's own jaw moves in its own way, and two outlines would be seen."""
        down = min(mouth.chin, LOWEST_CHIN) - 0.05
        return cls(1.75, 0.90, down, 0.45 * down)


@dataclass(frozen=True)
class Pose:
    """One moment of a ``MouthMotion``."""

    opening: float
    width: float
    teeth: float
    tuck: float


@dataclass(frozen=True)
class Lips:
    """Inner edges of the lips in the pose, per entry of the table over source u; float32 (TABLE_SIZE,)."""

    upper: Floats
    lower: Floats

    @property
    def gap(self) -> float:
        """Half widths between the lips in the middle."""
        middle = len(self.upper) // 2
        return max(0.0, float(self.lower[middle] - self.upper[middle]))


class MouthRig:
    """The mouth of one picture. ``box`` is the region it changes, inside the picture."""

    def __init__(self, bgr: Image, mouth: MouthLandmarks, reach: Reach | None = None) -> None:
        """``reach``: None: that of a photo."""
        self.mouth = mouth
        self.reach = reach or Reach.of_photo(mouth)
        self.box = _region(bgr, mouth, self.reach)
        self._source = bgr[self._rows, self._columns].copy()
        self._fine = _finer(self._source)
        self._u, self._v = self._mouth_coordinates()
        self._table_u = np.linspace(-1.25, 1.25, TABLE_SIZE, dtype=np.float32)
        self._rest_upper, self._rest_lower = self._rest_contours()
        self._meeting = self._rest_upper + np.float32(MEETING_SHARE) * (self._rest_lower - self._rest_upper)
        self._is_parted = mouth.gap > PARTED_GAP
        roundness = 1.15 if self._is_parted else 0.8  # a smile's corners hardly open
        self._bulge = np.asarray(np.clip(1 - self._table_u**2, 0, 1) ** roundness, np.float32)
        self._widest = WIDEST_GAP_SMILING if self._is_parted else WIDEST_GAP
        self._fixed = self._fixed_weights()
        self._interior = MouthInterior(self._source, 1.0 / mouth.half_width_px, own_teeth=self._is_parted)

    def render(self, pose: Pose) -> tuple[Image, float]:
        """The region in this pose, uint8 (box.height, box.width, 3), and the opening that shows, 0..1."""
        lips = self.lips(pose)
        source_u = self._source_u(pose.width)
        index = self._table_index(source_u)
        upper, lower = lips.upper.take(index), lips.lower.take(index)  # much quicker than [index]
        source_v = self._source_v(pose, index, upper, lower)
        picture = self._sample(source_u, source_v)
        part = self._around(lips)
        near = picture[part].astype(np.float32)
        band = self._band(part, source_u, index, upper, lower)
        if self._is_parted:
            draw_seam(near, band)
        self._interior.draw(near, self._source[part], band, pose.opening, pose.teeth)
        picture[part] = np.clip(near + np.float32(0.5), 0, 255).astype(np.uint8)
        return picture, min(1.0, lips.gap / self._widest)

    def _around(self, lips: Lips) -> tuple[slice, slice]:
        """The part of the region in which something is drawn."""
        highest, lowest = float(lips.upper.min()) - BAND_MARGIN, float(lips.lower.max()) + BAND_MARGIN
        near = (self._v > highest) & (self._v < lowest) & (self._fixed["magnitude"] < 1.25)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if rows.size == 0:
            return slice(0, 1), slice(0, 1)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def _band(
        self, part: tuple[slice, slice], source_u: Floats, index: npt.NDArray[np.int32], upper: Floats, lower: Floats
    ) -> LipBand:
        places = index[part]
        return LipBand(
            v=self._v[part],
            u=source_u[part],
            upper=upper[part],
            lower=lower[part],
            rest_upper=self._rest_upper.take(places),
            rest_lower=self._rest_lower.take(places),
            meeting=self._meeting.take(places),
        )

    def lips(self, pose: Pose) -> Lips:
        """Where the lips' inner edges are in the pose."""
        gap = np.float32(max(pose.opening, 0.0) * self._widest * (1.12 - 0.12 * pose.width))
        upper = np.maximum(self._meeting - np.float32(UPPER_SHARE) * gap * self._bulge, self._highest_upper())
        lower = self._meeting + np.float32(1 - UPPER_SHARE) * gap * self._bulge
        if pose.tuck > 0:
            tuck = np.float32(pose.tuck)
            lower = lower * (1 - tuck) + (upper + np.float32(0.05) * self._bulge) * tuck
        return Lips(upper, np.maximum(upper, lower))

    def _highest_upper(self) -> Floats:
        """A smile's upper lip is as high as it goes; a closed mouth's may rise."""
        return self._rest_upper if self._is_parted else self._rest_upper - np.float32(1.0)

    @property
    def coordinates(self) -> tuple[Floats, Floats]:
        """u and v of each pixel of the region."""
        return self._u, self._v

    @property
    def _rows(self) -> slice:
        return slice(self.box.y, self.box.y + self.box.height)

    @property
    def _columns(self) -> slice:
        return slice(self.box.x, self.box.x + self.box.width)

    def _mouth_coordinates(self) -> tuple[Floats, Floats]:
        x, y = np.meshgrid(np.arange(self.box.width, dtype=np.float32), np.arange(self.box.height, dtype=np.float32))
        roll = math.radians(self.mouth.roll_degrees)
        dx = (x + np.float32(self.box.x - self.mouth.centre_px[0])) / np.float32(self.mouth.half_width_px)
        dy = (y + np.float32(self.box.y - self.mouth.centre_px[1])) / np.float32(self.mouth.half_width_px)
        cos, sin = np.float32(math.cos(roll)), np.float32(math.sin(roll))
        return dx * cos + dy * sin, -dx * sin + dy * cos

    def _rest_contours(self) -> tuple[Floats, Floats]:
        """The photographed inner edges over the table's u, meeting beyond the corners."""
        upper = np.interp(self._table_u, CONTOUR_U, self.mouth.upper_inner)
        lower = np.interp(self._table_u, CONTOUR_U, self.mouth.lower_inner)
        if self.mouth.gap <= PARTED_GAP:
            upper = lower = (upper + lower) / 2
        meeting = (upper + lower) / 2
        beyond = np.abs(self._table_u) >= 1
        upper, lower = np.where(beyond, meeting, upper), np.where(beyond, meeting, lower)
        return np.asarray(upper, np.float32), np.asarray(np.maximum(upper, lower), np.float32)

    def _fixed_weights(self) -> dict[str, Floats]:
        """What depends on the place alone: how far across and down the movement of lips and jaw reaches."""
        reach = self.reach
        return {
            "width": self._width_weight(),
            "jaw": np.asarray(0.85 * np.exp(-((self._u / 1.35) ** 2)), np.float32)
            * (1 - smoothstep(np.abs(self._u), 0.68 * reach.across, reach.across)),
            "below_chin": 1 - smoothstep(self._v, reach.jaw_from, reach.down),
            "magnitude": np.abs(self._u),
        }

    def _width_weight(self) -> Floats:
        """Rounding and spreading reach down to the chin, but not up to the nose."""
        above = np.clip(-0.15 - self._v + float(self._rest_upper[TABLE_SIZE // 2]), 0, None) / np.float32(0.20)
        below = np.clip(self._v - 0.4, 0, None) / np.float32(0.7)
        return np.exp(-(above**2) - below**2)

    def _source_u(self, width: float) -> Floats:
        """Source u of each pixel: the mouth narrower or wider, the cheeks at the region's border in place."""
        share = 0.6 if self._is_parted else 0.85  # the folds beside a smile would follow too far
        factor = 1 + np.float32(share * (width - 1)) * self._fixed["width"]
        across, reach = self._fixed["magnitude"], self.reach.across
        outer = 1 + (across - factor) * ((reach - 1) / (reach - factor))
        magnitude = np.where(across <= factor, across / factor, outer)
        return np.copysign(np.where(across >= reach, across, magnitude), self._u)

    def _table_index(self, source_u: Floats) -> npt.NDArray[np.int32]:
        scale = np.float32((TABLE_SIZE - 1) / 2.5)
        return np.clip((source_u + np.float32(1.25)) * scale + np.float32(0.5), 0, TABLE_SIZE - 1).astype(np.int32)

    def _source_v(self, pose: Pose, index: npt.NDArray[np.int32], upper: Floats, lower: Floats) -> Floats:
        """Source v of each pixel: lips move stiffly, the skin around them gives way."""
        is_above = self._v < (upper + lower) * np.float32(0.5)
        any_above, any_below = np.flatnonzero(is_above.any(axis=1)), np.flatnonzero(~is_above.all(axis=1))
        above, below = slice(0, int(any_above.max(initial=-1)) + 1), slice(int(any_below.min(initial=len(index))), None)
        found = np.empty_like(self._v)
        found[below] = self._from_below(pose, below, index[below], upper[below], lower[below])
        from_above = self._from_above(pose, above, index[above], upper[above])
        np.copyto(found[above], from_above, where=is_above[above])
        return found

    def _from_above(self, pose: Pose, rows: slice, index: npt.NDArray[np.int32], upper: Floats) -> Floats:
        """Source v of pixels of some rows above the line where the lips meet."""
        v = self._v[rows]
        rise = self._rest_upper.take(index) - upper
        near = smoothstep(v - upper, -0.52, -0.10)
        return v + rise * near - self._roll_in(pose).take(index) * smoothstep(v - upper, -0.30, 0.0)

    def _from_below(
        self, pose: Pose, rows: slice, index: npt.NDArray[np.int32], upper: Floats, lower: Floats
    ) -> Floats:
        """And below it."""
        v = self._v[rows]
        jaw_drop = np.float32(0.62 * max(pose.opening, 0.0) * self._widest * (1 - 0.8 * pose.tuck))
        below = smoothstep(v - lower, 0.12, 0.90)
        fall = (lower - self._rest_lower.take(index)) * (1 - below) + jaw_drop * self._fixed["jaw"][rows] * below
        rolled = self._roll_in(pose) + self._bulge * np.float32(0.09 * pose.tuck)
        return v - fall * self._fixed["below_chin"][rows] + rolled.take(index) * (1 - smoothstep(v - lower, 0.0, 0.30))

    def _roll_in(self, pose: Pose) -> Floats:
        """How far the lips' edges are turned in, per entry of the table."""
        return self._bulge * np.float32(0.04 * self._is_parted + max(0.0, -pose.opening) * 0.5)

    def _sample(self, source_u: Floats, source_v: Floats) -> Image:
        """The photographed region at source coordinates, uint8 (h, w, 3)."""
        roll, size = math.radians(self.mouth.roll_degrees), np.float32(self.mouth.half_width_px)
        cos, sin = np.float32(math.cos(roll)) * size, np.float32(math.sin(roll)) * size
        x = source_u * cos - source_v * sin + np.float32(self.mouth.centre_px[0] - self.box.x)
        y = source_u * sin + source_v * cos + np.float32(self.mouth.centre_px[1] - self.box.y)
        x *= FINER
        y *= FINER
        return np.asarray(cv2.remap(self._fine, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _finer(source: Image) -> Image:
    """``FINER`` pixels for each, each way; the first of them is the pixel itself.

    Between its pixels linear interpolation is as good as a cubic one of the source for each frame, in a quarter of the
    time.
    """
    height, width = source.shape[:2]
    size = (FINER * (width - 1) + 1, FINER * (height - 1) + 1)
    return np.asarray(
        cv2.warpAffine(
            source, np.diag([FINER, FINER, 1.0])[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def _region(bgr: Image, mouth: MouthLandmarks, reach: Reach) -> Box:
    """The rectangle of the picture that the mouth's movements can reach; even, as pixels of colour are."""
    sides, ends = (-reach.across, reach.across), (-reach.up, reach.down)
    corners = np.array([mouth.to_picture(u, v) for u in sides for v in ends])
    height, width = bgr.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width - 2, height - 2)).astype(int) // 2 * 2
    right, bottom = np.clip(-np.floor(-corners.max(axis=0) / 2) * 2, (left + 1, top + 1), (width, height)).astype(int)
    return Box(x=int(left), y=int(top), width=int(right - left), height=int(bottom - top))
