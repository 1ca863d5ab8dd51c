"""Pictures out of files: upright, square pixels, 8-bit BGR. One frame in memory at a time.

Not here: what the file is (``probe``), sound (``audio``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contracts.errors import ProviderRejected
from providers._media.bgr import BgrConverter
from providers._media.decode import Tally, decoded_video, video_stream
from providers._media.opening import open_media
from providers._media.stills import is_picture, read_picture
from providers._media.timing import FrameClock

__all__ = ["Frame", "is_picture", "read_frames", "read_picture"]


@dataclass(frozen=True)
class Frame:
    """One shown picture of a video."""

    index: int
    time_seconds: float
    """Presentation time after the first frame."""
    bgr: npt.NDArray[np.uint8]
    """uint8 (H, W, 3), BGR, the same size for all frames of a video."""


def read_frames(path: Path, *, fps: float | None = None, max_long_side: int | None = None) -> Iterator[Frame]:
    """Frames as a viewer sees them, at their own times, or at exactly ``fps`` when given.

    Resampled, frame ``k`` stands at ``k / fps`` and shows the frame whose rounded place is the last at or before it.

    Raises:
        ProviderRejected: no video in the file, nothing decodes, or it is outside the limits.
    """
    frames = _native_frames(path, max_long_side)
    yield from frames if fps is None else _at_rate(frames, fps)


@dataclass(frozen=True)
class _TimedFrame(Frame):
    end_seconds_exclusive: float = 0.0


def _native_frames(path: Path, max_long_side: int | None) -> Iterator[_TimedFrame]:
    tally = Tally()
    count = 0
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise ProviderRejected("expected a video, got a file without a video stream")
        clock = FrameClock(stream)
        convert = BgrConverter(stream, max_long_side)
        for frame in decoded_video(container, stream, tally=tally):
            time_seconds = clock.place(frame)
            if time_seconds is None:
                continue
            end = time_seconds + clock.frame_seconds
            yield _TimedFrame(count, time_seconds, convert(frame), end)
            count += 1
    if count == 0:
        raise ProviderRejected(
            f"expected a video, got one in which no frame decodes ({tally.last_reason or 'it holds none'}); "
            "export it again"
        )


def _at_rate(frames: Iterator[_TimedFrame], fps: float) -> Iterator[Frame]:
    """Each frame is shown from its own rounded slot until the next frame's; the later of two in one slot wins."""
    if not 0 < fps <= 1000:
        raise ValueError(f"expected 0 < fps <= 1000, got {fps}")
    slot = 0
    shown: _TimedFrame | None = None
    for frame in frames:
        if shown is not None:
            until = _slot(frame.time_seconds, fps)
            while slot < until:
                yield Frame(slot, slot / fps, shown.bgr)
                slot += 1
        shown = frame
    if shown is None:
        return
    until = max(1, _slot(shown.end_seconds_exclusive, fps))
    while slot < until:
        yield Frame(slot, slot / fps, shown.bgr)
        slot += 1


def _slot(seconds: float, fps: float) -> int:
    """The nearest frame number; halves go up, also those that a time base rounded down."""
    return math.floor(seconds * fps + 0.501)
