"""Moves a part of a planar picture smoothly: where pixels come from is told for the cells of a coarse grid.

Not here: what moves, and how far (``_mouth_life``).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.faces import Image
from providers._media.planar import Planar, planes

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

BAND_PX = 1 << 16  # moved at once: stays in a core's cache, and OpenCV does not wake another core for it
_BOTH_IN_ONE = np.empty(0, np.float32)  # remap: the first map holds x and y


class Flow:
    """``places``: the centre of each cell, x and y in pixels; float32 (rows, columns, 2). One cell on each side lies
    beyond what moves.
    """

    def __init__(self, columns: slice, rows: slice, cell: int) -> None:
        """Columns and rows of the picture that may move, from even to even; ``cell``: pixels each way, even."""
        self._columns, self._rows, self._cell = columns, rows, cell
        self.places: Floats = np.dstack(np.meshgrid(self._centres(columns), self._centres(rows)))
        self._bands: list[_Band] = []

    def keep_to(self, moves: npt.NDArray[np.bool_]) -> None:
        """Only these cells ever move, bool (rows, columns). A head is narrower than its shoulders: a third is saved."""
        self._bands = list(self._bands_of(moves))

    def moved(self, picture: Planar, come_from: Floats) -> Planar:
        """A new picture. ``come_from``: where each cell's pixels are taken, as ``places``."""
        result = picture.copy()
        (seen, *seen_colours), (changed, *changed_colours) = planes(picture), planes(result)
        for band in self._bands:
            cells = come_from[band.cells]
            band.move(cells, 1, [(seen, changed)])
            halved = cells * np.float32(0.5) - np.float32(0.25)  # a pixel of colour lies amid two by two of brightness
            band.move(halved, 2, zip(seen_colours, changed_colours, strict=True))
        return result

    def _centres(self, span: slice) -> Floats:
        count = -(-(span.stop - span.start) // self._cell) + 2
        return np.asarray(span.start - 0.5 + (np.arange(count) - 0.5) * self._cell, np.float32)

    def _bands_of(self, moves: npt.NDArray[np.bool_]) -> "Iterator[_Band]":
        height = max(1, BAND_PX // (moves.shape[1] * self._cell**2))
        for top in range(1, moves.shape[0] - 1, height):
            rows = slice(top, min(top + height, moves.shape[0] - 1))
            columns = np.flatnonzero(moves[rows, 1:-1].any(axis=0)) + 1
            if columns.size:
                yield _Band(
                    (rows, slice(int(columns[0]), int(columns[-1]) + 1)), (self._rows, self._columns), self._cell
                )


class _Band:
    """Cells side by side. ``cells``: they, and one more on each side, since what lies between two is led by both."""

    def __init__(self, inner: tuple[slice, slice], area: tuple[slice, slice], cell: int) -> None:
        """Rows and columns each: of cells, and of the pixels that the grid covers."""
        self.cells = tuple(slice(of.start - 1, of.stop + 1) for of in inner)
        self._cell = cell
        self._pixels = [
            (span.start + (of.start - 1) * cell, min(span.start + (of.stop - 1) * cell, span.stop))
            for of, span in zip(inner, area, strict=True)
        ]

    def move(self, cells: Floats, coarseness: int, pairs: Iterable[tuple[Image, Image]]) -> None:
        """Change the second of each pair of planes to the first, moved.

        Args:
            cells: where theirs are taken, in pixels of the planes.
            coarseness: pixels of the picture for one of the planes, each way.
        """
        step = self._cell // coarseness
        size = (cells.shape[1] * step, cells.shape[0] * step)
        rows, columns = (slice(start // coarseness, stop // coarseness) for start, stop in self._pixels)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        places = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)[step : step + height, step : step + width]
        for seen, changed in pairs:
            cv2.remap(seen, places, _BOTH_IN_ONE, cv2.INTER_LINEAR, changed[rows, columns], cv2.BORDER_REPLICATE)
