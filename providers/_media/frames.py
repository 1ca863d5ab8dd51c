"""Pictures out of files: upright, square pixels, 8-bit, BGR or planar. One frame in memory at a time.

Not here: what the file is (``probe``), sound (``audio``).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import av.video
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from contracts.errors import ProviderRejected
from providers._media.bgr import BgrConverter, PlanarConverter
from providers._media.decode import Tally, decoded_video, video_stream
from providers._media.opening import open_media
from providers._media.planar import Planar
from providers._media.stills import is_picture, read_picture
from providers._media.timing import FrameClock

__all__ = [
    "Frame",
    "PlanarFrame",
    "Timed",
    "at_rate",
    "is_picture",
    "read_frames",
    "read_picture",
    "read_planar_frames",
    "read_timed_planar_frames",
]

Value = TypeVar("Value")

_Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """One shown picture of a video."""

    index: int
    time_seconds: float
    """Presentation time after the first frame."""
    bgr: npt.NDArray[np.uint8]
    """uint8 (H, W, 3), BGR, the same size for all frames of a video."""


@dataclass(frozen=True)
class PlanarFrame:
    """One shown picture of a video as an encoder takes it; an odd side has one more pixel."""

    index: int
    time_seconds: float
    picture: Planar


@dataclass(frozen=True)
class Timed(Generic[Value]):
    """Something that is shown for a while."""

    time_seconds: float
    end_seconds_exclusive: float
    """Where nothing comes after it."""
    value: Value


def read_frames(path: Path, *, fps: float | None = None, max_long_side: int | None = None) -> Iterator[Frame]:
    """Frames as a viewer sees them, at their own times, or at exactly ``fps`` when given.

    Resampled, frame ``k`` stands at ``k / fps`` and shows the frame whose rounded place is the last at or before it.

    Raises:
        ProviderRejected: no video in the file, nothing decodes, or it is outside the limits.
    """
    for index, time_seconds, picture in _shown(path, fps, lambda stream: BgrConverter(stream, max_long_side)):
        yield Frame(index, time_seconds, picture)


def read_timed_planar_frames(path: Path, *, max_long_side: int | None = None) -> Iterator[Timed[Planar]]:
    """Planar frames at their own times, and how long each is shown at most."""
    return _native_frames(path, lambda stream: PlanarConverter(stream, max_long_side))


def read_planar_frames(
    path: Path, *, fps: float | None = None, max_long_side: int | None = None
) -> Iterator[PlanarFrame]:
    """As ``read_frames``; what is planar already, as most videos are, is not converted."""
    for index, time_seconds, picture in _shown(path, fps, lambda stream: PlanarConverter(stream, max_long_side)):
        yield PlanarFrame(index, time_seconds, picture)


_Converter = Callable[[VideoFrame], _Picture]


def _shown(
    path: Path, fps: float | None, converter_of: Callable[[av.video.VideoStream], _Converter]
) -> Iterator[tuple[int, float, _Picture]]:
    frames = _native_frames(path, converter_of)
    if fps is not None:
        return ((slot, slot / fps, picture) for slot, picture in at_rate(frames, fps))
    return ((index, frame.time_seconds, frame.value) for index, frame in enumerate(frames))


def _native_frames(path: Path, converter_of: Callable[[av.video.VideoStream], _Converter]) -> Iterator[Timed[_Picture]]:
    tally = Tally()
    count = 0
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise ProviderRejected("expected a video, got a file without a video stream")
        clock = FrameClock(stream)
        convert = converter_of(stream)
        for frame in decoded_video(container, stream, tally=tally):
            time_seconds = clock.place(frame)
            if time_seconds is None:
                continue
            yield Timed(time_seconds, time_seconds + clock.frame_seconds, convert(frame))
            count += 1
    if count == 0:
        raise ProviderRejected(
            f"expected a video, got one in which no frame decodes ({tally.last_reason or 'it holds none'}); "
            "export it again"
        )


def at_rate(items: Iterable[Timed[Value]], fps: float) -> Iterator[tuple[int, Value]]:
    """What each slot of a constant rate shows, in order.

    Each item is shown from its own rounded slot until the next one's; the later of two in one slot wins.
    """
    if not 0 < fps <= 1000:
        raise ValueError(f"expected 0 < fps <= 1000, got {fps}")
    slot = 0
    shown: Timed[Value] | None = None
    for item in items:
        if shown is not None:
            until = _slot(item.time_seconds, fps)
            while slot < until:
                yield slot, shown.value
                slot += 1
        shown = item
    if shown is None:
        return
    until = max(1, _slot(shown.end_seconds_exclusive, fps))
    while slot < until:
        yield slot, shown.value
        slot += 1


def _slot(seconds: float, fps: float) -> int:
    """The nearest frame number; halves go up, also those that a time base rounded down."""
    return math.floor(seconds * fps + 0.501)
