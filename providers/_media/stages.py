"""Decoding, computing and encoding at the same time: a thread each, with short queues between, so memory stays flat."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

FRAMES_BETWEEN = 4
"""That wait between two stages: enough to keep both busy, a few megabytes."""
_WAIT_SECONDS = 0.1
_END = object()


def read_ahead(items: Iterable[Item], size: int) -> Generator[Item, None, None]:
    """``items``, made in another thread, at most ``size`` ahead. Its errors are raised here; closing it stops it."""
    line: queue.Queue[object] = queue.Queue(size)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            for item in items:
                if not _put(line, item, stopped):
                    return
        except BaseException as error:  # noqa: BLE001 - raised in the thread that reads
            failure.append(error)
        finally:
            _close(items)
            _put(line, _END, stopped)

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := line.get()) is not _END:
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
    if failure:
        raise failure[0]


def in_order(work: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Generator[Made, None, None]:
    """``work(item)`` for each item, by several threads at once, given in the order of the items.

    At most one more than ``workers`` is begun and not yet given. The first error ends it.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="compute") as pool:
        line: deque[Future[Made]] = deque()
        try:
            for item in items:
                line.append(pool.submit(work, item))
                if len(line) > workers:
                    yield line.popleft().result()
            while line:
                yield line.popleft().result()
        finally:
            for waiting in line:
                waiting.cancel()


class WriteBehind(Generic[Item]):
    """Calls ``write`` for each item in another thread, in order, at most ``size`` behind.

    Its errors are raised by the next ``put`` or at the end of the ``with`` block; there all is written.
    """

    def __init__(self, write: Callable[[Item], None], size: int) -> None:
        self._write = write
        self._line: queue.Queue[object] = queue.Queue(size)
        self._failed = threading.Event()
        self._failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, name="write-behind", daemon=True)

    def put(self, item: Item) -> None:
        if not _put(self._line, item, self._failed):
            raise self._failure[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._failed.set()
            with contextlib.suppress(queue.Empty):
                while True:
                    self._line.get_nowait()
        _put(self._line, _END, threading.Event() if kind is not None else self._failed)
        self._thread.join()
        if kind is None and self._failure:
            raise self._failure[0]

    def _work(self) -> None:
        while (item := self._line.get()) is not _END:
            if self._failed.is_set():
                continue
            try:
                self._write(item)  # type: ignore[arg-type]
            except BaseException as error:  # noqa: BLE001 - raised in the thread that writes
                self._failure.append(error)
                self._failed.set()
                return


def _put(line: "queue.Queue[object]", item: object, stopped: threading.Event) -> bool:
    """Wait for a place; False when nobody will take it any more."""
    while not stopped.is_set():
        with contextlib.suppress(queue.Full):
            line.put(item, timeout=_WAIT_SECONDS)
            return True
    return False


def _close(items: object) -> None:
    """End a generator in the thread that ran it, so that its files are closed there."""
    close = getattr(items, "close", None)
    if callable(close):
        close()
