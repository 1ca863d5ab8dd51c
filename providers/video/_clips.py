"""Video streams as they are coded: facts of one file without decoding it, and tracks made of copied packets."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from contracts.errors import ProviderFailed, ProviderRejected
from providers._media.decode import Tally, decoded, video_stream
from providers._media.opening import open_media, stream_codec


@dataclass(frozen=True)
class CodedVideo:
    """A video stream by its packets. Times are ticks of ``time_base``, in decoding order."""

    path: Path
    codec: str
    pixel_format: str
    width: int
    height: int
    has_square_pixels: bool
    is_full_range: bool
    rotation_degrees: int
    time_base: Fraction
    mean_rate: Fraction | None
    starts_cleanly: bool
    """The first packet is a keyframe and shown first; an edit list hides none."""
    pts: tuple[int, ...]
    """Empty when some packet has no time of its own."""

    @cached_property
    def shown(self) -> list[int]:
        """Times in the order of showing, from 0."""
        return [pts - min(self.pts) for pts in sorted(self.pts)]

    @cached_property
    def ticks_per_frame(self) -> int | None:
        """The one distance between frames; None when the rate varies or is not known."""
        if len(self.pts) < 2:
            return None
        distances = {later - earlier for earlier, later in pairwise(self.shown)}
        return distances.pop() if len(distances) == 1 and 0 not in distances else None

    @property
    def fps(self) -> Fraction | None:
        """Exact where the rate is constant, else the mean; None when neither is known."""
        if self.ticks_per_frame:
            return 1 / (self.ticks_per_frame * self.time_base)
        if len(self.pts) > 1 and self.shown[-1] > 0:
            return (len(self.shown) - 1) / (self.shown[-1] * self.time_base)
        return self.mean_rate

    @property
    def duration_seconds(self) -> float | None:
        """From the first frame's start to the last one's end; None when packets carry no times."""
        return float(self.shown[-1] * self.time_base + 1 / self.fps) if self.pts and self.fps else None

    def packets_before(self, end_seconds: float) -> int | None:
        """How many packets, in decoding order, hold exactly the frames shown before ``end_seconds``.

        None when frames on both sides of that time need each other: such a stream cannot be cut there by copying.
        """
        if not self.pts:
            return None
        first = min(self.pts)
        kept = [(pts - first) * self.time_base < end_seconds - 1e-6 for pts in self.pts]
        count = sum(kept)
        return count if all(kept[:count]) else None


@dataclass(frozen=True)
class Clip:
    """Packets to copy: the first ``packet_count`` of a file (all when None), ``repeats`` times."""

    path: Path
    packet_count: int | None = None
    repeats: int = 1


def read_coded(path: Path) -> CodedVideo:
    """Facts of a file's video stream.

    Raises:
        ProviderRejected: it cannot be opened or has no video stream.
    """
    with open_media(path) as container:
        stream = required_video_stream(container)
        pts: list[int | None] = []
        starts_cleanly = True
        for packet in _packets(container, stream):
            starts_cleanly = starts_cleanly and not packet.is_discard and (packet.is_keyframe or bool(pts))
            pts.append(packet.pts)
        times = () if None in pts else tuple(value for value in pts if value is not None)
        context = stream.codec_context
        return CodedVideo(
            path=path,
            codec=stream_codec(stream),
            pixel_format=context.pix_fmt or "",
            width=context.width,
            height=context.height,
            has_square_pixels=(stream.sample_aspect_ratio or 0) in {0, 1},
            is_full_range=context.color_range == ColorRange.JPEG,
            rotation_degrees=_rotation(path),
            time_base=stream.time_base or Fraction(1, 90_000),
            mean_rate=stream.average_rate,
            starts_cleanly=bool(times) and starts_cleanly and times[0] == min(times),
            pts=times,
        )


def decodes_cleanly(path: Path) -> bool:
    """Whether every packet of the video stream decodes; reads all of it."""
    tally = Tally()
    with open_media(path) as container:
        for _ in decoded(container, required_video_stream(container), tally=tally):
            pass
    return tally.errors == 0


def copied_packets(clips: tuple[Clip, ...], target: VideoStream) -> Iterator["av.Packet[VideoStream]"]:
    """Packets of clips end to end, from time 0, for ``target``. All clips must be coded alike."""
    offset = 0
    for clip in clips:
        for _ in range(clip.repeats):
            with open_media(clip.path) as container:
                stream = required_video_stream(container)
                if stream.codec_context.extradata != target.codec_context.extradata:
                    raise ProviderFailed("expected clips coded with the same settings, got different ones")
                offset = yield from _moved_packets(container, stream, clip, target, offset)


def _moved_packets(
    container: InputContainer, stream: VideoStream, clip: Clip, target: VideoStream, offset: int
) -> Generator["av.Packet[VideoStream]", None, int]:
    """Yields the packets with times from ``offset`` on; returns the time after the last frame."""
    start: int | None = None
    end = offset
    for number, packet in enumerate(_packets(container, stream)):
        if number == clip.packet_count:
            break
        start = (packet.pts or 0) if start is None else start
        packet.pts = (packet.pts or 0) - start + offset
        packet.dts = (packet.dts or 0) - start + offset
        end = max(end, packet.pts + (packet.duration or 0))
        packet.stream = target
        yield packet
    return end


def required_video_stream(container: InputContainer) -> VideoStream:
    """Raises: ProviderRejected: there is none."""
    stream = video_stream(container)
    if stream is None:
        raise ProviderRejected("expected a video or a picture, got a file without a picture; give one with a face")
    return stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator["av.Packet[VideoStream]"]:
    """What can be demuxed; a damaged end is the same as an end."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        if packet.dts is not None and packet.size > 0:
            yield packet


def _rotation(path: Path) -> int:
    with open_media(path) as container:
        frame = next(iter(decoded(container, required_video_stream(container))), None)
        return getattr(frame, "rotation", 0) % 360
