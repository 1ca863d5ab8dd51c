"""The decoded picture, frame by frame: times, black and frozen stretches, the mouth, and what else there is to see."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box, Span
from providers._media.mouth_measure import MouthMeter, MouthTrack
from providers._media.mouth_places import MouthPlaces
from providers.qa._signal_look import Look
from providers.qa._signal_outside import BeforeMouth, Likeness

Image = npt.NDArray[np.uint8]

BLACK_PIXEL, BLACK_SHARE = 26, 0.98  # the 10 % and 98 % of FFmpeg's blackdetect
LOWER_FACE_FROM = 0.55  # of the face box's height, and as much below it: nose to chin, where speech is seen
LOWER_FACE_UNTIL = 1.15
STILL_SIDE_PX = 32
STILL_BELOW = 5.0  # grey levels, in the part of the lower face that changed most: encoding noise stays under it
LEAST_STRETCH_SECONDS = 0.2


@dataclass(frozen=True)
class Picture:
    """Times are presentation times. ``frozen`` counts the lower face only, and is empty where no face was seen;
    black frames are neither frozen nor searched for a face.
    """

    times_seconds: npt.NDArray[np.float64]
    black: tuple[Span, ...]
    frozen: tuple[Span, ...]
    mouth: MouthTrack
    look: Look
    outside_mouth: tuple[Likeness, ...]
    """Empty where there is nothing to compare with."""

    @property
    def frame_seconds(self) -> float:
        """The usual distance between frames; 0 for fewer than two."""
        return float(np.median(np.diff(self.times_seconds))) if len(self.times_seconds) > 1 else 0.0

    @property
    def end_seconds(self) -> float:
        return float(self.times_seconds[-1]) + self.frame_seconds if len(self.times_seconds) else 0.0


class Watcher:
    """Takes every frame once, in order; about a second of them is held at a time.

    Args:
        before: the frames before a mouth was drawn, where lip-sync kept them.
    """

    def __init__(self, places: MouthPlaces | None = None, before: BeforeMouth | None = None) -> None:
        self.mouth = MouthMeter(places)
        self._before = before
        self._times: list[float] = []
        self._freezes, self._black, self._look = _Freezes(), _Stretches(), Look()

    def add(self, time_seconds: float, bgr: Image, luma: Image | None = None) -> None:
        """
        Args:
            bgr: uint8 (H, W, 3), at the size of the analysis.
            luma: uint8, Y as it is in the file and as large; None where it is not known.
        """
        self._times.append(time_seconds)
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        is_black = _is_black(gray)
        self._black.add(time_seconds, is_black)
        looked = len(self.mouth.places.looks)
        self.mouth.add(time_seconds, None if is_black else bgr)
        face = None if is_black else self.mouth.places.last_box
        self._freezes.add(time_seconds, gray, face)
        if luma is not None and len(self.mouth.places.looks) > looked:
            self._look.add(time_seconds, luma, face, luma.shape[1] / gray.shape[1])
        if self._before is not None:
            self._before.compare(time_seconds, gray, face)

    def finish(self) -> Picture:
        times = self._times
        end = times[-1] + (float(np.median(np.diff(times))) if len(times) > 1 else 0.0) if times else 0.0
        return Picture(
            np.array(times, np.float64),
            self._black.until(end),
            self._freezes.until(end),
            self.mouth.finish(),
            self._look,
            self._before.found if self._before else (),
        )


def _is_black(gray: Image) -> bool:
    return float((gray < BLACK_PIXEL).mean()) >= BLACK_SHARE


class _Stretches:
    """Turns a flag per frame into spans."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._start: float | None = None

    def add(self, time_seconds: float, flag: bool) -> None:
        if flag and self._start is None:
            self._start = time_seconds
        if not flag:
            self._close(time_seconds)

    def until(self, end_seconds: float) -> tuple[Span, ...]:
        self._close(end_seconds)
        return tuple(self._spans)

    def _close(self, end_seconds: float) -> None:
        if self._start is not None:
            self._spans.append(Span(start_seconds=max(0.0, self._start), end_seconds_exclusive=end_seconds))
        self._start = None


class _Freezes:
    """Stretches in which the lower face stays as it was at the stretch's first frame."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._first: tuple[float, Box, Image] | None = None

    def add(self, time_seconds: float, gray: Image, face: Box | None) -> None:
        if self._first is not None:
            _, box, was = self._first
            if _largest_change(was, _lower_face(gray, box)) < STILL_BELOW:
                return
            self._close(time_seconds)
        self._first = (time_seconds, face, _lower_face(gray, face)) if face else None

    def until(self, end_seconds: float) -> tuple[Span, ...]:
        self._close(end_seconds)
        return tuple(self._spans)

    def _close(self, end_seconds: float) -> None:
        if self._first is not None and end_seconds - self._first[0] >= LEAST_STRETCH_SECONDS:
            self._spans.append(Span(start_seconds=max(0.0, self._first[0]), end_seconds_exclusive=end_seconds))
        self._first = None


def _lower_face(gray: Image, face: Box) -> Image:
    """uint8 (STILL_SIDE_PX, STILL_SIDE_PX): averaged, so that encoding noise fades and movement stays."""
    height, width = gray.shape
    top, bottom = (round(face.y + face.height * share) for share in (LOWER_FACE_FROM, LOWER_FACE_UNTIL))
    left, right = max(0, face.x), min(width, face.x + face.width)
    part = gray[min(max(0, top), height - 1) : min(bottom, height), min(left, width - 1) : max(right, left + 1)]
    return np.asarray(cv2.resize(part, (STILL_SIDE_PX, STILL_SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _largest_change(first: Image, second: Image) -> float:
    """Of blocks of 2 x 2, in grey levels."""
    change = np.abs(first.astype(np.float32) - second)
    return float(change.reshape(STILL_SIDE_PX // 2, 2, STILL_SIDE_PX // 2, 2).mean(axis=(1, 3)).max())
