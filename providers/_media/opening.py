"""The only door to uploaded media: what a file is by its content, and a container that cannot reach anything else.

libav follows names, playlists and references if it is let. So it is given a nameless stream of one regular file, no
protocol at all, and closed lists of containers and codecs. Not here: decoding (``decode``), pictures (``stills``).
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import av
import av.container
import av.error
import av.stream

from contracts.errors import ProviderRejected
from providers._media.allowed import AUDIO_CODECS, CONTAINERS, COVER_CODECS, DECODERS, VIDEO_CODECS
from providers._media.limits import DEFAULT_LIMITS, MediaLimits
from providers._media.mp4_layout import lacks_index
from providers._media.riff_layout import has_impossible_chunk
from providers._media.signatures import FileKind, is_mp4, kind_of, refusal_of, text_of

_SNIFFED_BYTES = 64 * 1024


def sniff(path: Path) -> FileKind:
    """What a file is by its first bytes; names and endings count for nothing."""
    with _regular_file(path, DEFAULT_LIMITS) as file:
        return kind_of(file.read(_SNIFFED_BYTES))


def read_text_start(path: Path, max_chars: int = DEFAULT_LIMITS.max_text_chars) -> str:
    """The beginning of a text; empty for what is no text."""
    with _regular_file(path, DEFAULT_LIMITS) as file:
        return (text_of(file.read(_SNIFFED_BYTES)) or "")[:max_chars]


@contextmanager
def open_media(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> Generator[av.container.InputContainer, None, None]:
    """A container whose streams are safe to decode with ``providers._media.decode``.

    Raises:
        ProviderRejected: not audio or video, damaged beyond opening, or outside the limits.
    """
    with _regular_file(path, limits) as file:
        head = file.read(_SNIFFED_BYTES)
        if kind_of(head) != "media":
            raise ProviderRejected(refusal_of(head))
        if head[:4] == b"RIFF" and has_impossible_chunk(path):
            raise ProviderRejected(
                "expected a whole file, got a header that claims more than it holds; export it again"
            )
        file.seek(0)
        try:
            container = av.open(
                Nameless(file),
                mode="r",
                options={
                    "format_whitelist": CONTAINERS,
                    "codec_whitelist": DECODERS,
                    "protocol_whitelist": "none",
                },
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError, EOFError) as error:
            raise ProviderRejected(
                f"expected a readable audio or video file, got one that does not open ({_damage(path, head, error)}); "
                "export or record it again"
            ) from error
        with container:
            _check_streams(container, limits)
            yield container


class Nameless:
    """A file as libav may see it: bytes and a position, no name to guess a format or a neighbour from."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def reason(error: Exception) -> str:
    """libav's words without the arguments of the call that failed."""
    return str(getattr(error, "strerror", None) or error)


def stream_codec(stream: av.stream.Stream) -> str:
    """The codec's name, the same for every decoder of it; empty when libav knows none."""
    context = getattr(stream, "codec_context", None)
    return str(context.codec.canonical_name) if context is not None else ""


@contextmanager
def _regular_file(path: Path, limits: MediaLimits) -> Generator[BinaryIO, None, None]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ProviderRejected(f"expected a readable file, got {error.strerror}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ProviderRejected("expected a regular file, got a directory, a pipe or a device")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size == 0:
            raise ProviderRejected("expected a media file, got an empty one")
        if found.st_size > limits.max_bytes:
            raise ProviderRejected(f"expected up to {limits.max_bytes} bytes, got {found.st_size}")
        yield file


def _damage(path: Path, head: bytes, error: Exception) -> str:
    if is_mp4(head) and lacks_index(path):
        return "its index is missing, so it was cut off while it was recorded or sent"
    return reason(error)


def _check_streams(container: av.container.InputContainer, limits: MediaLimits) -> None:
    count = len(container.streams)
    if count > limits.max_streams:
        raise ProviderRejected(f"expected up to {limits.max_streams} streams, got {count}")
    for stream in container.streams.video:
        _check_codec("video", stream_codec(stream), VIDEO_CODECS | COVER_CODECS)
        _check_size(stream.codec_context.width, stream.codec_context.height, limits)
    for stream in container.streams.audio:
        _check_codec("audio", stream_codec(stream), AUDIO_CODECS)
        _check_sound(stream.codec_context.sample_rate, stream.codec_context.channels, limits)


def _check_codec(kind: Literal["video", "audio"], name: str, known: frozenset[str]) -> None:
    if name not in known:
        named = ", ".join(sorted(codec for codec in known if not codec.startswith("pcm_")))
        raise ProviderRejected(
            f"expected a common {kind} codec ({named}), got {name or 'one that is not known'}; "
            "convert the file to MP4 with H.264 and AAC"
        )


def _check_size(width: int, height: int, limits: MediaLimits) -> None:
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        raise ProviderRejected(
            f"expected frames up to {limits.max_side} pixels a side, {limits.max_pixels} in all, got {width}x{height}"
        )


def _check_sound(rate_hz: int, channels: int, limits: MediaLimits) -> None:
    least_hz, most_hz = limits.min_sample_rate_hz, limits.max_sample_rate_hz
    if not least_hz <= rate_hz <= most_hz:
        raise ProviderRejected(f"expected a sample rate of {least_hz} to {most_hz} Hz, got {rate_hz}")
    if not 1 <= channels <= limits.max_channels:
        raise ProviderRejected(f"expected 1 to {limits.max_channels} audio channels, got {channels}")
