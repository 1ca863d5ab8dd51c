"""How far the mouth is open, measured in decoded frames: the share of the mouth region that is inside of a mouth.

Inside is what is dark (the cavity) or has less colour than the skin (teeth). What never changes, such as a moustache
or the teeth of a smile, is taken off; below the mouth also what is near it, since a beard's hairs move when the head
does. The measure knows nothing of how a mouth was drawn and uses no landmarks, so it can judge any lip-sync.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.bytes_on_disk import BytesOnDisk
from providers._media.mouth_places import PATCH_PX, Image, Look, MouthPlaces

Map = npt.NDArray[np.uint8]
Curve = npt.NDArray[np.float32]

LOOK_EVERY_SECONDS = 0.5  # 0.3 measured no better on moving heads, and a look is most of the work
MAP_PX = 24
DARK_BELOW, DARK_FULLY_BELOW = 0.62, 0.37  # of the skin's lightness
PALE_ABOVE, PALE_FULLY_ABOVE = 0.45, 0.65  # of the skin's lightness: teeth in the shadow of a lip are not white
COLOURED_ABOVE, COLOURLESS_BELOW = 0.85, 0.5  # of the skin's chroma: pale skin has little, its teeth have less
LEAST_CHROMA = 4.0  # CIELAB: in a picture in black and white skin and teeth have as little
BASELINE_PERCENTILE = 10
CHIN_FROM = 0.58  # of the mouth region's height
BEARD_REACH = 7  # parts of the map, across: as far as a look misses the place of a moving head
BASELINE_FRAMES = 2_000


@dataclass(frozen=True)
class MouthTrack:
    """The mouth of the followed face over time.

    ``opening[i]`` belongs to the frame shown at ``times_seconds[i]``: 0 as closed as this clip gets, 0.1 wide open;
    NaN where no face was seen.
    """

    times_seconds: npt.NDArray[np.float64]
    opening: Curve
    looks: tuple[Look, ...]
    changes: Curve
    """Mean change of the mouth region since the frame before, in grey levels; NaN where either was not seen."""

    @property
    def travel(self) -> float:
        """From the 5th to the 95th percentile of the opening; 0 when no face was seen."""
        seen = self.opening[np.isfinite(self.opening)]
        return float(np.percentile(seen, 95) - np.percentile(seen, 5)) if seen.size else 0.0

    @property
    def face_share(self) -> float:
        """Share of the looks that found a face."""
        return sum(look.face is not None for look in self.looks) / max(1, len(self.looks))

    def scaled(self) -> Curve:
        """Opening as 0..1 of this clip's own range; 0 where no face was seen."""
        seen = self.opening[np.isfinite(self.opening)]
        if not seen.size:
            return np.zeros(len(self.opening), np.float32)
        low, high = np.percentile(seen, 5), np.percentile(seen, 99)
        scaled = np.clip((self.opening - low) / max(float(high - low), 1e-6), 0, 1)
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)


class MouthMeter:
    """Takes the frames of a video in order; holds about a second of them, and on disk 576 bytes of each for the end."""

    def __init__(self, places: MouthPlaces | None = None) -> None:
        self.places = places or MouthPlaces()
        self._waiting: deque[tuple[float, Image | None]] = deque()
        self._times: list[float] = []
        self._maps = BytesOnDisk()
        self._is_seen: list[bool] = []
        self._changes: list[float] = []
        self._last: Map | None = None

    def add(self, time_seconds: float, bgr: Image | None) -> None:
        """``bgr`` uint8 (H, W, 3), a long side of 480 pixels is enough; None for a frame not worth looking at."""
        looks = self.places.looks
        is_due = not looks or time_seconds >= looks[-1].time_seconds + LOOK_EVERY_SECONDS - 1e-6
        if bgr is not None and is_due:
            self.places.look(time_seconds, bgr)
        self._waiting.append((time_seconds, bgr))
        self._measure_until(self.places.settled_until_seconds)

    def finish(self) -> MouthTrack:
        self._measure_until(float("inf"))
        opening = _openings(self._maps, np.array(self._is_seen, bool))
        changes = np.array(self._changes, np.float32)
        return MouthTrack(np.array(self._times, np.float64), opening, tuple(self.places.looks), changes)

    def _measure_until(self, time_seconds: float) -> None:
        while self._waiting and self._waiting[0][0] < time_seconds:
            at, bgr = self._waiting.popleft()
            place = self.places.at(at) if bgr is not None else None
            patch = place.patch(bgr) if bgr is not None and place else None
            self._times.append(at)
            self._is_seen.append(patch is not None)
            if patch is not None:
                self._maps.append(inside_of_mouth(patch).tobytes())
            self._changes.append(self._change(patch))

    def _change(self, patch: Image | None) -> float:
        before = self._last
        self._last = None if patch is None else np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY), np.uint8)
        if before is None or self._last is None:
            return float("nan")
        return float(cv2.absdiff(before, self._last).mean())


def inside_of_mouth(patch: Image) -> Map:
    """How much each part of the mouth region looks like the inside of a mouth.

    Args:
        patch: uint8 (PATCH_PX, PATCH_PX, 3) BGR, upright, as ``Place.patch`` cuts it.

    Returns:
        uint8 (MAP_PX, MAP_PX), 255 for certainly inside.
    """
    lab = np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2LAB), np.float32)
    light, red, yellow = (np.asarray(lab[..., channel]) for channel in range(3))
    skin_light, skin_red, skin_yellow = (float(np.median(channel[_SKIN])) for channel in (light, red, yellow))
    shade = light / max(skin_light, 1.0)
    chroma = np.maximum(np.hypot(red - 128, yellow - 128), LEAST_CHROMA)
    of_skin = chroma / max(float(np.hypot(skin_red - 128, skin_yellow - 128)), LEAST_CHROMA)
    dark = (DARK_BELOW - shade) / (DARK_BELOW - DARK_FULLY_BELOW)
    pale = (shade - PALE_ABOVE) / (PALE_FULLY_ABOVE - PALE_ABOVE)
    colourless = (COLOURED_ABOVE - of_skin) / (COLOURED_ABOVE - COLOURLESS_BELOW)
    inside = np.maximum(np.clip(dark, 0, 1), np.clip(pale, 0, 1) * np.clip(colourless, 0, 1))
    return np.asarray(cv2.resize(inside * 255, (MAP_PX, MAP_PX), interpolation=cv2.INTER_AREA).round(), np.uint8)


def _openings(maps: BytesOnDisk, is_seen: npt.NDArray[np.bool_]) -> Curve:
    """Weighted mean of each map over the clip's own baseline; NaN where none was seen.

    Args:
        maps: those that were seen, one after another.
    """
    opening = np.full(len(is_seen), np.nan, np.float32)
    seen = np.flatnonzero(is_seen)
    if not seen.size:
        return opening
    some = np.stack([_map(maps, place) for place in range(0, seen.size, max(1, seen.size // BASELINE_FRAMES))])
    baseline = np.percentile(some, BASELINE_PERCENTILE, axis=0).astype(np.float32)
    chin = np.where(_grid(MAP_PX)[0] > CHIN_FROM, baseline, 0)
    baseline = np.maximum(baseline, cv2.dilate(chin, np.ones((BEARD_REACH, BEARD_REACH), np.uint8)))
    for place, index in enumerate(seen):
        opening[index] = float((np.clip(_map(maps, place) - baseline, 0, None) * _NEARNESS).mean()) / 255
    return opening


def _map(maps: BytesOnDisk, place: int) -> Map:
    return np.frombuffer(maps.read(place * MAP_PX**2, MAP_PX**2), np.uint8).reshape(MAP_PX, MAP_PX)


def _grid(size_px: int) -> tuple[Curve, Curve]:
    """Rows and columns of a square of ``size_px``, as shares of the mouth region."""
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    return (rows + 0.5) / size_px, (columns + 0.5) / size_px


def _skin_places() -> npt.NDArray[np.bool_]:
    """The chin, and both sides of the upper lip."""
    down, across = _grid(PATCH_PX)
    chin = (down > 0.63) & (down < 0.81) & (abs(across - 0.5) < 0.23)
    sides = (down > 0.19) & (down < 0.42) & (abs(abs(across - 0.5) - 0.33) < 0.085)
    return chin | sides


def _nearness() -> Curve:
    """Weight 1 at the mouth, falling off towards nostrils, cheeks and collar."""
    down, across = _grid(MAP_PX)
    weight: Curve = np.exp(-(((down - 0.46) / 0.23) ** 4) - ((across - 0.5) / 0.31) ** 4).astype(np.float32)
    return weight


_SKIN = _skin_places()
_NEARNESS = _nearness()
