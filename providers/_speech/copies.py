"""Exact placement of several windows at a time, in forked copies of this process: the decoder holds Python's lock.

A copy has the sound, the dictionary and the models already, and shares their memory.
"""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Self

from providers._speech.placement import Placement, Placer


class Copies:
    """Close it with a ``with`` block. Of one copy, none is made: this process does the work."""

    def __init__(self, placer: Placer, most: int) -> None:
        """``most``: as many as there is work for; there are never more than processors."""
        self.count = min(most, len(os.sched_getaffinity(0)))
        self.ahead = 1 if self.count == 1 else self.count + 1
        """Windows to have at hand, so that no copy waits."""
        self._placer = placer
        self._pool: ProcessPoolExecutor | None = None

    def exactly(self, words: Sequence[str], first: int, end: int) -> Future[Placement]:
        """As ``Placer.exactly``, later."""
        if self.count == 1:
            done: Future[Placement] = Future()
            done.set_result(self._placer.exactly(words, first, end))
            return done
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.count, multiprocessing.get_context("fork"), _take, (self._placer,))
        return self._pool.submit(_exactly, words, first, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


_taken: list[Placer] = []
"""In a copy: what it was made with."""


def _take(placer: Placer) -> None:
    _taken[:] = [placer]


def _exactly(words: Sequence[str], first: int, end: int) -> Placement:
    return _taken[0].exactly(words, first, end)
