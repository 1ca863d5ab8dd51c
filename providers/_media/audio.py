"""Sound out of files as float32 samples, from the first sample on; gaps in the file's own time become silence."""

from collections.abc import Iterator
from pathlib import Path

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from contracts.errors import ProviderRejected
from providers._media.decode import Tally, audio_stream, decoded_audio
from providers._media.opening import open_media, reason
from providers._media.timing import SoundClock

_MIXING = {"rematrix_maxval": "1.0"}
"""A mix of channels is scaled so that it cannot clip; libav does that by itself only for integers."""

Samples = npt.NDArray[np.float32]


def read_audio(path: Path, sample_rate_hz: int = 16_000) -> Samples:
    """The whole sound as one mono mix: float32 (num_samples,) in [-1, 1].

    Raises:
        ProviderRejected: no audio in the file, nothing decodes, or it is outside the limits.
    """
    blocks = [block[0] for block in read_audio_blocks(path, sample_rate_hz=sample_rate_hz, mono=True)]
    return np.concatenate(blocks)


def read_audio_blocks(
    path: Path, *, sample_rate_hz: int | None = None, mono: bool = False, block_seconds: float = 1.0
) -> Iterator[Samples]:
    """Blocks of float32 (num_channels, num_samples) in [-1, 1]; all but the last ``block_seconds`` long.

    ``sample_rate_hz`` None keeps the file's rate. More than two channels are mixed down to stereo.

    Raises:
        ProviderRejected: as ``read_audio``.
    """
    tally = Tally()
    with open_media(path) as container:
        stream = audio_stream(container)
        if stream is None:
            raise ProviderRejected("expected sound, got a file without an audio stream")
        rate_hz = sample_rate_hz or stream.codec_context.sample_rate
        layout = "mono" if mono or stream.codec_context.channels == 1 else "stereo"
        tap = SoundTap(rate_hz, layout, block_seconds)
        found = False
        for frame in decoded_audio(container, stream, tally=tally):
            for block in tap.push(frame):
                found = True
                yield block
        for block in tap.flush():
            found = True
            yield block
    if not found:
        raise ProviderRejected(
            f"expected sound, got a file in which none decodes ({tally.last_reason or 'it holds no samples'}); "
            "export it again"
        )


class Resampling:
    """Frames of any format to pieces of float32 (num_channels, n) in [-1, 1] at one rate and layout.

    Args:
        layout: ``mono`` or ``stereo``; more channels are mixed down.
    """

    def __init__(self, rate_hz: int, layout: str) -> None:
        self._rate_hz = rate_hz
        self._layout = layout
        self._resampler: AudioResampler | None = None
        self._source: tuple[str, str, int] | None = None

    def push(self, frame: AudioFrame) -> Iterator[Samples]:
        """What is ready after ``frame``; a new resampler where the file changes its own format."""
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if found != self._source:
            yield from self.flush()
            self._source = found
        if self._resampler is None:
            self._resampler = AudioResampler("fltp", self._layout, self._rate_hz, options=_MIXING)
        frame.pts = None
        yield from _arrays(self._resampler, frame)

    def flush(self) -> Iterator[Samples]:
        """What the resampler still holds."""
        if self._resampler is not None:
            yield from _arrays(self._resampler, None)
            self._resampler = None


class SoundTap:
    """Frames of one stream, in order, to blocks of float32 (num_channels, n) in [-1, 1]; holes become silence.

    All blocks but the last are ``block_seconds`` long.
    """

    def __init__(self, rate_hz: int, layout: str, block_seconds: float = 1.0) -> None:
        self._rate_hz = rate_hz
        self._layout = layout
        self._block_samples = max(1, round(block_seconds * rate_hz))
        self._resampling = Resampling(rate_hz, layout)
        self._clock = SoundClock()
        self._held: list[Samples] = []
        self._count = 0

    def push(self, frame: AudioFrame) -> Iterator[Samples]:
        """The blocks that are full with ``frame``. Raises: ProviderRejected: it is outside the limits."""
        for piece in _silence(self._clock.silence_before(frame), self._rate_hz, self._layout):
            yield from self._blocks(piece)
        for piece in self._resampling.push(frame):
            yield from self._blocks(piece)

    def flush(self) -> Iterator[Samples]:
        """The rest, once, at the end."""
        for piece in self._resampling.flush():
            yield from self._blocks(piece)
        if self._count:
            yield np.concatenate(self._held, axis=1)
            self._held, self._count = [], 0

    def _blocks(self, piece: Samples) -> Iterator[Samples]:
        self._held.append(piece)
        self._count += piece.shape[1]
        while self._count >= self._block_samples:
            joined = np.concatenate(self._held, axis=1)
            yield joined[:, : self._block_samples]
            self._held = [joined[:, self._block_samples :]]
            self._count -= self._block_samples


def _silence(seconds: float, rate_hz: int, layout: str) -> Iterator[Samples]:
    """In pieces of a second, so that a long hole takes no memory."""
    left = round(seconds * rate_hz)
    while left > 0:
        count = min(left, rate_hz)
        yield np.zeros((1 if layout == "mono" else 2, count), np.float32)
        left -= count


def _arrays(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    try:
        pieces = resampler.resample(frame)
    except (av.error.FFmpegError, ValueError) as error:
        raise ProviderRejected(
            f"expected sound in a common format, got one that cannot be converted ({reason(error)}); "
            "convert it to WAV or to MP4 with AAC"
        ) from error
    for piece in pieces:
        yield np.clip(piece.to_ndarray().astype(np.float32, copy=False), -1.0, 1.0)
