"""Packets to frames, for files that may be damaged anywhere: keep what decodes, count what does not.

Streaming: one packet in, its frames out. Not here: what the frames look like (``frames``, ``audio``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import av.audio
import av.container
import av.error
import av.video
from av.audio.frame import AudioFrame
from av.stream import Disposition
from av.video.frame import VideoFrame

from contracts.errors import ProviderRejected
from providers._media.limits import DEFAULT_LIMITS, MediaLimits
from providers._media.opening import reason

_MAX_THREADS = 4
"""Per decoder. Each thread holds frames of its own: memory, not only speed."""
_THREADED_PIXELS = 4096 * 2304
"""Larger frames are decoded by one thread."""


@dataclass
class Tally:
    """What went wrong on the way."""

    errors: int = 0
    last_reason: str = ""

    def add(self, error: Exception) -> None:
        self.errors += 1
        self.last_reason = reason(error)


def video_stream(container: av.container.InputContainer) -> av.video.VideoStream | None:
    """The first video stream that is not a cover picture."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    found = (stream for stream in container.streams.video if not Disposition(stream.disposition) & covers)
    return next(found, None)


def audio_stream(container: av.container.InputContainer) -> av.audio.AudioStream | None:
    """The first audio stream."""
    return next(iter(container.streams.audio), None)


def decoded(
    container: av.container.InputContainer,
    *streams: av.video.VideoStream | av.audio.AudioStream | None,
    tally: Tally | None = None,
    limits: MediaLimits = DEFAULT_LIMITS,
) -> Iterator[VideoFrame | AudioFrame]:
    """Every frame of ``streams`` that decodes, in the file's order.

    Raises:
        ProviderRejected: a frame is outside the limits.
    """
    chosen = tuple(stream for stream in streams if stream is not None)
    tally = tally or Tally()
    for stream in chosen:
        _prepare(stream, limits)
    ended = not chosen  # of no streams, demux would give all
    packets = container.demux(*chosen)
    while not ended:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            tally.add(error)
            packet = None
        ended = packet is None
        for frame in _frames_of(packet, tally) if packet is not None else _rest_of(chosen, tally):
            yield _checked(frame, limits)


def decoded_video(
    container: av.container.InputContainer, stream: av.video.VideoStream, *, tally: Tally
) -> Iterator[VideoFrame]:
    """As ``decoded``, of one video stream."""
    for frame in decoded(container, stream, tally=tally):
        if isinstance(frame, VideoFrame):
            yield frame


def decoded_audio(
    container: av.container.InputContainer, stream: av.audio.AudioStream, *, tally: Tally
) -> Iterator[AudioFrame]:
    """As ``decoded``, of one audio stream."""
    for frame in decoded(container, stream, tally=tally):
        if isinstance(frame, AudioFrame):
            yield frame


def _prepare(stream: av.video.VideoStream | av.audio.AudioStream, limits: MediaLimits) -> None:
    if isinstance(stream, av.video.VideoStream):
        context = stream.codec_context
        context.options = {"max_pixels": str(limits.max_pixels)}
        stream.thread_type = "AUTO"
        context.thread_count = _MAX_THREADS if context.width * context.height <= _THREADED_PIXELS else 1


def _frames_of(packet: "av.Packet[Any]", tally: Tally) -> list[VideoFrame | AudioFrame]:
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame | AudioFrame)]
    except av.error.EOFError:
        return []  # the decoder was flushed before
    except (av.error.FFmpegError, ValueError) as error:
        tally.add(error)
        return []


def _rest_of(
    streams: tuple[av.video.VideoStream | av.audio.AudioStream, ...], tally: Tally
) -> Iterator[VideoFrame | AudioFrame]:
    """Frames that decoders still hold. Empty after a regular end, where ``demux`` flushed already."""
    for stream in streams:
        try:
            yield from stream.decode(None)
        except av.error.EOFError:
            continue
        except (av.error.FFmpegError, ValueError) as error:
            tally.add(error)


def _checked(frame: VideoFrame | AudioFrame, limits: MediaLimits) -> VideoFrame | AudioFrame:
    if isinstance(frame, VideoFrame):
        if max(frame.width, frame.height) > limits.max_side or frame.width * frame.height > limits.max_pixels:
            raise ProviderRejected(
                f"expected frames up to {limits.max_side} pixels a side, got {frame.width}x{frame.height}"
            )
    elif frame.sample_rate > limits.max_sample_rate_hz or frame.layout.nb_channels > limits.max_channels:
        raise ProviderRejected(
            f"expected up to {limits.max_sample_rate_hz} Hz and {limits.max_channels} channels, "
            f"got {frame.sample_rate} Hz and {frame.layout.nb_channels}"
        )
    return frame
