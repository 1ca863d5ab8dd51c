"""Sound of any length in the memory of a moment: samples on disk, read back slice by slice."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from providers._media.audio import Samples, read_audio_blocks
from providers._media.bytes_on_disk import BytesOnDisk

_SAMPLE_BYTES = 4


class SoundOnDisk:
    """One channel of float32, as a one-dimensional array that can be appended to and sliced."""

    def __init__(self) -> None:
        self._kept = BytesOnDisk()

    @property
    def size(self) -> int:
        """Samples."""
        return self._kept.size // _SAMPLE_BYTES

    @classmethod
    def of(cls, pieces: Iterable[Samples]) -> Self:
        sound = cls()
        for piece in pieces:
            sound.append(piece)
        return sound

    def append(self, samples: Samples) -> None:
        """float32 (n,). Raises: ProviderFailed: the disk is full."""
        self._kept.append(samples.astype(np.float32, copy=False).tobytes())

    def __getitem__(self, part: slice) -> Samples:
        """The samples of a slice, read-only, shape (n,)."""
        start, stop, step = part.indices(self.size)
        content = self._kept.read(start * _SAMPLE_BYTES, max(0, stop - start) * _SAMPLE_BYTES)
        return np.frombuffer(content, np.float32)[::step]


AnySound = Samples | SoundOnDisk
"""float32 in [-1, 1], shape (n,): a short one in memory or a long one on disk. It has a ``size`` and can be sliced."""


def read_audio_to_disk(path: Path, sample_rate_hz: int = 16_000) -> SoundOnDisk:
    """The whole sound as one mono mix; ``read_audio`` for what may be long.

    Raises:
        ProviderRejected: no audio in the file, nothing decodes, or it is outside the limits.
    """
    return SoundOnDisk.of(block[0] for block in read_audio_blocks(path, sample_rate_hz=sample_rate_hz, mono=True))
