"""Sound of any length in the memory of a moment: samples in a file without a name, read back slice by slice."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from contracts.errors import ProviderFailed
from providers._media.audio import Samples, read_audio_blocks

_SAMPLE_BYTES = 4


class SoundOnDisk:
    """One channel of float32, as a one-dimensional array that can be appended to and sliced.

    The file is in the folder for temporary files, which is the attempt's own, and vanishes with the object.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self.size = 0
        """Samples."""

    @classmethod
    def of(cls, pieces: Iterable[Samples]) -> Self:
        sound = cls()
        for piece in pieces:
            sound.append(piece)
        return sound

    def append(self, samples: Samples) -> None:
        """float32 (n,). Raises: ProviderFailed: the disk is full."""
        left = memoryview(samples.astype(np.float32, copy=False).tobytes())
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise ProviderFailed(
                f"the sound cannot be kept in the folder for temporary files ({error.strerror}); free some space there"
            ) from error
        self.size += samples.size

    def __getitem__(self, part: slice) -> Samples:
        """The samples of a slice, read-only, shape (n,)."""
        start, stop, step = part.indices(self.size)
        content = os.pread(self._file.fileno(), max(0, stop - start) * _SAMPLE_BYTES, start * _SAMPLE_BYTES)
        return np.frombuffer(content, np.float32)[::step]


AnySound = Samples | SoundOnDisk
"""float32 in [-1, 1], shape (n,): a short one in memory or a long one on disk. It has a ``size`` and can be sliced."""


def read_audio_to_disk(path: Path, sample_rate_hz: int = 16_000) -> SoundOnDisk:
    """The whole sound as one mono mix; ``read_audio`` for what may be long.

    Raises:
        ProviderRejected: no audio in the file, nothing decodes, or it is outside the limits.
    """
    return SoundOnDisk.of(block[0] for block in read_audio_blocks(path, sample_rate_hz=sample_rate_hz, mono=True))
