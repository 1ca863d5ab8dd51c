"""What keeps a photo alive besides its mouth: the head sways a little, the chest breathes, the eyes blink.

All of it is led by curves that are drawn once from a seed, so the same photo moves the same way each time. Small moves
only: about a hundredth of the face's width; a photo has no other side to turn to. Not here: the lids (``_mouth_lids``),
how pixels are moved (``_mouth_flow``).
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.eye_landmarks import Eye
from providers._media.faces import Face, Image
from providers._media.planar import Planar, paint, planar
from providers.lipsync._mouth_flow import Flow
from providers.lipsync._mouth_interior import smoothstep
from providers.lipsync._mouth_lids import Lids

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

SWAY_SECONDS = ((2.6, 4.0), (4.5, 7.0), (8.0, 12.0))  # range of the periods of three waves that never meet again
SWAY_SHARES = (0.25, 0.4, 0.35)
SWAY_ACROSS, SWAY_DOWN = 0.014, 0.008  # of the face's width, at most
SWAY_ROLL_DEGREES = 0.9
BREATH_SECONDS = (3.4, 4.6)
BREATH_RISE = 0.010  # of the face's width, at the collar; the head is lifted by a third of it
BLINK_EVERY_SECONDS = (2.2, 5.5)  # people who speak blink about 15 to 25 times a minute
LIDS_CLOSING_SECONDS, LIDS_SHUT_SECONDS, LIDS_OPENING_SECONDS = 0.08, 0.04, 0.16
NECK = 0.85  # below the face's centre, in widths: what the head turns about
CELLS_PER_FACE = 32  # the movement is smooth: it is worked out on a coarse grid


@dataclass(frozen=True)
class LifeOptions:
    sway: bool = True
    breathing: bool = True
    blinks: bool = True

    @property
    def is_still(self) -> bool:
        return not (self.sway or self.breathing or self.blinks)


@dataclass(frozen=True)
class LifeCurves:
    """One value per frame, float32. ``across`` and ``down`` in face widths, ``roll`` in radians, clockwise;
    ``breath`` 0 out .. 1 in; ``lids`` 0 as photographed .. 1 shut.
    """

    across: Floats
    down: Floats
    roll: Floats
    breath: Floats
    lids: Floats

    def is_still(self, index: int) -> bool:
        """Head and chest are where they were photographed."""
        return not (self.across[index] or self.down[index] or self.roll[index] or self.breath[index])


def life_curves(still: Image, count: int, fps: float, options: LifeOptions) -> LifeCurves:
    """Curves for ``count`` frames, drawn from the picture's own bytes."""
    chance = np.random.default_rng(int.from_bytes(hashlib.sha256(still.tobytes()).digest()[:8], "big"))
    seconds = np.arange(count) / fps
    across, down, roll = (_wave(chance, seconds) for _ in range(3))
    breath = _breath(chance, seconds)
    lids = _blinks(chance, seconds)
    sway, breathing, blinking = (np.float32(on) for on in (options.sway, options.breathing, options.blinks))
    return LifeCurves(
        across * np.float32(SWAY_ACROSS) * sway,
        down * np.float32(SWAY_DOWN) * sway,
        roll * np.float32(math.radians(SWAY_ROLL_DEGREES)) * sway,
        breath * breathing,
        lids * blinking,
    )


class LivingPhoto:
    """One picture whose head, chest and lids move; its borders stay where they are.

    A mouth is drawn between the two steps: on ``with_lids``, before ``moved``.
    """

    def __init__(self, picture: Image, face: Face, eyes: tuple[Eye, Eye] | None, curves: LifeCurves) -> None:
        height, width = picture.shape[:2]
        self._still = planar(picture)
        self._curves = curves
        self._lids = Lids(picture, eyes)
        self._unit = float(face.box.width)
        cell = max(2, 2 * round(self._unit / CELLS_PER_FACE / 2))
        self._flow = Flow(*_affected(face, width, height), cell)
        self._weigh(face, width, height)
        self._flow.keep_to((self._head > 0) | (self._chest > 0))

    def with_lids(self, index: int) -> Planar:
        """A new picture with the eyes as the frame ``index`` shows them."""
        result = self._still.copy()
        for box, eye in self._lids.drawn(float(self._curves.lids[index])):
            paint(result, box, eye)
        return result

    def moved(self, picture: Planar, index: int) -> Planar:
        """``picture``, or a new one: head and chest where the frame ``index`` shows them."""
        curves = self._curves
        if curves.is_still(index):
            return picture
        unit = np.float32(self._unit)
        breath = np.float32(curves.breath[index] * BREATH_RISE) * unit
        across = np.float32(curves.across[index]) * unit
        down = np.float32(curves.down[index]) * unit - breath / 3
        roll = np.float32(curves.roll[index])
        x, y = cv2.split(self._flow.places)
        x += roll * self._head_y - across * self._head
        y += breath * self._chest - roll * self._head_x - down * self._head
        return self._flow.moved(picture, np.dstack((x, y)).astype(np.float32, copy=False))

    def frame(self, index: int) -> Planar:
        """A new picture: the frame ``index`` without a mouth drawn."""
        return self.moved(self.with_lids(index), index)

    def _weigh(self, face: Face, width: int, height: int) -> None:
        """How much of the head's and of the chest's movement each cell takes part in."""
        x, y = cv2.split(self._flow.places)
        roll = math.radians(face.roll_degrees)
        dx = (x - np.float32(face.centre[0])) / np.float32(self._unit)
        dy = (y - np.float32(face.centre[1])) / np.float32(self._unit)
        across, down = dx * math.cos(roll) + dy * math.sin(roll), -dx * math.sin(roll) + dy * math.cos(roll)
        nearest_edge = np.minimum.reduce([x, y, width - 1 - x, height - 1 - y]) / np.float32(self._unit)
        inside = smoothstep(nearest_edge, 0.0, 0.22)
        head = 1 - smoothstep(np.hypot(across / 0.80, (down + 0.10) / 1.0), 0.72, 1.25)
        chest = smoothstep(down, 0.45, 0.95) * (1 - smoothstep(np.abs(across), 0.8, 1.7))
        pivot_x, pivot_y = face.point(0.5, 0.5 + NECK)
        self._head = np.asarray(head * inside, np.float32)
        self._head_x = self._head * (x - np.float32(pivot_x))
        self._head_y = self._head * (y - np.float32(pivot_y))
        self._chest = np.asarray(chest * inside, np.float32)


def _affected(face: Face, width: int, height: int) -> tuple[slice, slice]:
    """Columns and rows that may move, from even to even."""
    x, y = face.centre
    size = face.box.width
    left, right = max(0, int(x - 1.75 * size)), min(width, int(x + 1.75 * size) + 1)
    top = max(0, int(y - 1.4 * size))
    return slice(left - left % 2, right + right % 2), slice(top - top % 2, height + height % 2)


def _wave(chance: np.random.Generator, seconds: Floats) -> Floats:
    """-1..1, slow and never the same."""
    periods = [chance.uniform(*limits) for limits in SWAY_SECONDS]
    phases = chance.uniform(0, 2 * math.pi, len(periods))
    waves = [
        share * np.sin(2 * math.pi * seconds / period + phase)
        for share, period, phase in zip(SWAY_SHARES, periods, phases, strict=True)
    ]
    return np.asarray(sum(waves), np.float32)


def _breath(chance: np.random.Generator, seconds: Floats) -> Floats:
    """In faster than out."""
    phase = 2 * math.pi * seconds / chance.uniform(*BREATH_SECONDS) + chance.uniform(0, 2 * math.pi)
    return np.asarray(0.5 - 0.5 * np.cos(phase + 0.4 * np.sin(phase)), np.float32)


def _blinks(chance: np.random.Generator, seconds: Floats) -> Floats:
    lids = np.zeros(len(seconds))
    end = float(seconds[-1]) if len(seconds) else 0.0
    start = chance.uniform(0.8, BLINK_EVERY_SECONDS[1] - 1)
    while start < end:
        since = seconds - start
        closing = since / LIDS_CLOSING_SECONDS
        opening = 1 - (since - LIDS_CLOSING_SECONDS - LIDS_SHUT_SECONDS) / LIDS_OPENING_SECONDS
        lids = np.maximum(lids, np.clip(np.minimum(closing, opening), 0, 1))
        start += chance.uniform(*BLINK_EVERY_SECONDS)
    return np.asarray(lids * lids * (3 - 2 * lids), np.float32)
