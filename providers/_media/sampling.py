"""A small picture of a long file, in memory that does not grow: some frames spread over it, and its sound's envelope.

Both start fine and coarsen by halves as the file goes on; what is kept depends on the content alone.
"""

from dataclasses import dataclass

import av.video
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from providers._media.audio import Resampling
from providers._media.bgr import BgrConverter

_ENVELOPE_RATE_HZ = 16_000
_FIRST_BUCKET_SAMPLES = 80  # 5 ms: longer than a period of a voice, so that the drawing shows loudness
_MAX_BUCKETS = 8192


@dataclass(frozen=True)
class SampledFrame:
    time_seconds: float
    bgr: npt.NDArray[np.uint8]


class FrameSampler:
    """Keeps between ``wanted`` and twice as many evenly spaced frames (fewer of a shorter video)."""

    def __init__(self, wanted: int, max_long_side: int) -> None:
        self._wanted = wanted
        self._max_long_side = max_long_side
        self._convert: BgrConverter | None = None
        self._stride = 1
        self._count = 0
        self._kept: list[SampledFrame] = []

    def visit(self, frame: VideoFrame, time_seconds: float, stream: av.video.VideoStream) -> None:
        convert = self._convert = self._convert or BgrConverter(stream, self._max_long_side)
        if self._count % self._stride == 0:
            self._kept.append(SampledFrame(time_seconds, convert(frame)))
            if len(self._kept) == 2 * self._wanted:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._count += 1

    def frames(self) -> list[SampledFrame]:
        """Up to ``wanted`` of them, spread over the whole length, in order."""
        if len(self._kept) <= self._wanted:
            return list(self._kept)
        places = np.linspace(0, len(self._kept) - 1, self._wanted).round().astype(int)
        return [self._kept[place] for place in places]


@dataclass(frozen=True)
class Envelope:
    """Least and greatest sample per bucket of equal length."""

    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    duration_seconds: float


class EnvelopeSampler:
    """Keeps at most some thousand buckets of a sound of any length."""

    def __init__(self) -> None:
        self._resampling = Resampling(_ENVELOPE_RATE_HZ, "mono")
        self._bucket_samples = _FIRST_BUCKET_SAMPLES
        self._low: list[float] = []
        self._high: list[float] = []
        self._rest = np.zeros(0, np.float32)
        self._sample_count = 0

    def visit(self, frame: AudioFrame) -> None:
        for piece in self._resampling.push(frame):
            self.add(piece[0])

    def add(self, samples: npt.NDArray[np.float32]) -> None:
        """Mono samples at 16 kHz, float32 (n,)."""
        self._sample_count += len(samples)
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= self._bucket_samples:
            room = _MAX_BUCKETS - len(self._low)
            count = min(room, len(self._rest) // self._bucket_samples)
            taken = count * self._bucket_samples
            buckets = self._rest[:taken].reshape(count, self._bucket_samples)
            self._rest = self._rest[taken:]
            self._low += buckets.min(axis=1).tolist()
            self._high += buckets.max(axis=1).tolist()
            if len(self._low) == _MAX_BUCKETS:
                self._coarsen()

    def envelope(self) -> Envelope:
        """Of all that came; call it once, at the end."""
        for piece in self._resampling.flush():
            self.add(piece[0])
        if len(self._rest):
            self._low.append(float(self._rest.min()))
            self._high.append(float(self._rest.max()))
        return Envelope(
            np.asarray(self._low, np.float32),
            np.asarray(self._high, np.float32),
            self._sample_count / _ENVELOPE_RATE_HZ,
        )

    def _coarsen(self) -> None:
        self._low = [min(pair) for pair in zip(self._low[::2], self._low[1::2], strict=True)]
        self._high = [max(pair) for pair in zip(self._high[::2], self._high[1::2], strict=True)]
        self._bucket_samples *= 2
