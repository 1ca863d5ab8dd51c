"""The pictures that a video shows at a few given moments, without decoding all of it."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import av.error
import numpy as np
import numpy.typing as npt

from providers._media.bgr import BgrConverter
from providers._media.decode import Tally, decoded_video, video_stream
from providers._media.opening import open_media

Image = npt.NDArray[np.uint8]

_NEAR_SECONDS = 4.0
"""A moment so near after the last one is decoded up to; for others it is quicker to seek."""
_LATE_SECONDS = 0.001
"""A frame of that time is shown already."""


def frames_at(path: Path, times_seconds: Sequence[float], max_long_side: int) -> dict[float, Image]:
    """By moment, counted from the first frame: uint8 (H, W, 3), BGR. What does not decode is left out.

    Raises:
        ProviderRejected: it does not open, or is outside the limits.
    """
    found: dict[float, Image] = {}
    for group in _grouped(sorted(set(times_seconds))):
        found |= _decoded_at(path, group, max_long_side)
    return found


def _grouped(times: Sequence[float]) -> Iterator[list[float]]:
    group: list[float] = []
    for time_seconds in times:
        if group and time_seconds - group[-1] > _NEAR_SECONDS:
            yield group
            group = []
        group.append(time_seconds)
    if group:
        yield group


def _decoded_at(path: Path, times: list[float], max_long_side: int) -> dict[float, Image]:
    found: dict[float, Image] = {}
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None or stream.time_base is None:
            return found
        start_seconds = float((stream.start_time or 0) * stream.time_base)
        convert = BgrConverter(stream, max_long_side)
        with contextlib.suppress(av.error.FFmpegError):  # then it is decoded from its beginning
            container.seek(round((start_seconds + times[0]) / stream.time_base), stream=stream)
        shown = None
        waiting = list(times)
        for frame in decoded_video(container, stream, tally=Tally()):
            at_seconds = (frame.time or 0.0) - start_seconds
            while shown is not None and waiting and at_seconds > waiting[0] + _LATE_SECONDS:
                found[waiting.pop(0)] = convert(shown)
            if not waiting:
                return found
            shown = frame
        if shown is not None:
            found |= {time_seconds: convert(shown) for time_seconds in waiting}
    return found
