"""The event spool: an append-only log on disk that every process of an installation writes to and sinks read from.

``<home>/events/spool/<first number>.jsonl`` holds one line per event, ``{"number": 17, "event": {...}}``, numbered
without gaps. A line is on disk when ``append`` returns. The oldest files go when the spool outgrows its bound; who had
not read them yet knows from the numbers how many events it lost. Not here: who is told (``delivery``).
"""

import fcntl
import json
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ContractViolation
from contracts.events import NodeEvent

SEGMENT_BYTES = 4 * 2**20
KEEP_BYTES = 256 * 2**20
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True)
class SpooledEvent:
    """An event and its place in the log."""

    number: int
    """Counts from 1."""
    event: NodeEvent


class EventSpool:
    """Several processes may write and read at once."""

    def __init__(self, folder: Path, keep_bytes: int = KEEP_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._keep_bytes = keep_bytes
        self._segment_bytes = min(segment_bytes, max(keep_bytes // 4, 1))
        self._places: dict[int, tuple[Path, int]] = {}

    def append(self, events: Iterable[NodeEvent]) -> int:
        """Write events so that they survive a power cut. Returns the number of the last one.

        Raises: OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            segment, last = self._end()
            if segment is None or segment.stat().st_size >= self._segment_bytes:
                segment = self.folder / f"{last + 1:012d}.jsonl"
                self._make_room()
            lines: list[bytes] = []
            for event in events:
                last += 1
                lines.append(f'{{"number":{last},"event":{event.as_json()}}}\n'.encode())
            _write(segment, b"".join(lines))
            return last

    def read(self, after: int, limit: int = 500) -> list[SpooledEvent]:
        """The next events after number ``after``, oldest first; what was removed meanwhile is skipped."""
        found: list[SpooledEvent] = []
        path, position = self._places.get(after, (None, 0))
        for segment in self._segments():
            if path is not None and segment.name < path.name:
                continue
            if path is None and (following := self._following(segment)) is not None and following <= after + 1:
                continue
            start = position if segment == path else 0
            for item, end in _lines(segment, start):
                if item.number > after:
                    found.append(item)
                    after = item.number
                if len(found) == limit:
                    self._remember(after, segment, end)
                    return found
                start = end
            self._remember(after, segment, start)
        return found

    @property
    def first(self) -> int:
        """Number of the oldest event that is kept; 1 while the spool is empty."""
        segments = self._segments()
        return int(segments[0].stem) if segments else 1

    @property
    def last(self) -> int:
        """Number of the newest event; 0 while the spool is empty."""
        return self._end()[1]

    @property
    def size_bytes(self) -> int:
        return sum(segment.stat().st_size for segment in self._segments())

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def _following(self, segment: Path) -> int | None:
        """First number of the segment after this one."""
        names = [int(path.stem) for path in self._segments() if path.name > segment.name]
        return min(names, default=None)

    def _end(self) -> tuple[Path | None, int]:
        """The newest segment, and the last number written. A half line, left by a power cut, has no number."""
        segments = self._segments()
        if not segments:
            return None, 0
        with segments[-1].open("rb") as stream:
            stream.seek(max(segments[-1].stat().st_size - _TAIL_BYTES, 0))
            numbers = [number for line in stream.read().splitlines() if (number := _number(line)) is not None]
        if not numbers:  # one line is longer than the tail: look at all of them
            numbers = [item.number for item, _ in _lines(segments[-1], 0)]
        return segments[-1], max(numbers, default=int(segments[-1].stem) - 1)

    def _make_room(self) -> None:
        segments = self._segments()
        total = sum(segment.stat().st_size for segment in segments)
        while segments and total + self._segment_bytes > self._keep_bytes:
            oldest = segments.pop(0)
            total -= oldest.stat().st_size
            oldest.unlink()

    def _remember(self, after: int, segment: Path, position: int) -> None:
        """So that the next read goes on where this one ended."""
        if len(self._places) > 64:
            self._places.clear()
        self._places[after] = (segment, position)

    @contextmanager
    def _lock(self) -> Generator[None]:
        with (self.folder / ".lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _write(segment: Path, data: bytes) -> None:
    is_new = not segment.exists()
    descriptor = os.open(segment, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data  # after a half line of a writer that was lost
        while data:
            data = data[os.write(descriptor, data) :]
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(segment.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _lines(segment: Path, start: int) -> Iterator[tuple[SpooledEvent, int]]:
    """Whole lines that hold an event, and where each ends; a segment that is gone has none."""
    try:
        stream = segment.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.seek(start)
        end = start
        for line in stream:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            number = _number(line)
            if number is not None:
                try:
                    yield SpooledEvent(number, NodeEvent.parse(json.loads(line)["event"])), end
                except ContractViolation:  # written by a newer Sparkle: an older one cannot tell what it means
                    continue


def _number(line: bytes) -> int | None:
    try:
        document = json.loads(line)
        return int(document["number"])
    except (ValueError, KeyError, TypeError):
        return None
