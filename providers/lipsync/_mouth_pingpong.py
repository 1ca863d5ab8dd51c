"""Frames of a video for as long as the sound lasts: cut, or extended back and forth, with flat memory.

The way back needs frames again that were decoded already: the last ``BOUNCE_FRAMES`` of them are kept in one
temporary file as JPEGs of high quality. A longer video turns round there, not at its beginning.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from providers._media.faces import Image

BOUNCE_FRAMES = 500
JPEG_QUALITY = 97


def played_indices(source_count: int, wanted_count: int, bounce: int = BOUNCE_FRAMES) -> Iterator[int]:
    """The source frame shown at each place of the output: 0 1 2 3 2 1 0 1 ... of four."""
    lowest = max(0, source_count - bounce)
    period = max(1, 2 * (source_count - 1 - lowest))
    for position in range(wanted_count):
        if position < source_count:
            yield position
        else:
            step = (position - (source_count - 1)) % period
            yield source_count - 1 - min(step, period - step)


def played_frames(
    pictures: Iterable[Image], source_count: int, wanted_count: int, temp_dir: Path, bounce: int = BOUNCE_FRAMES
) -> Iterator[tuple[int, Image]]:
    """Source index and picture (not to be changed) for each place of the output.

    Args:
        pictures: of the source, BGR or planar, in order.
    """
    with (temp_dir / "frames.spool").open("w+b") as file:
        spool = _Spool(file)
        for index, picture in enumerate(pictures):
            if index >= min(source_count, wanted_count):
                break
            if wanted_count > source_count and index >= source_count - bounce:
                spool.add(index, picture)
            yield index, picture
        for position, index in enumerate(played_indices(source_count, wanted_count, bounce)):
            if position >= source_count:
                yield index, spool.get(index)
    (temp_dir / "frames.spool").unlink()


class _Spool:
    """Pictures by index in a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[int, tuple[int, int]] = {}

    def add(self, index: int, picture: Image) -> None:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        self._places[index] = (self._file.seek(0, 2), len(encoded))
        self._file.write(encoded.tobytes())

    def get(self, index: int) -> Image:
        start, size = self._places[index]
        self._file.seek(start)
        encoded = np.frombuffer(self._file.read(size), np.uint8)
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8)
