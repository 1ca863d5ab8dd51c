"""Where events are delivered. Not here: when, and what follows a sink that is down (``delivery``)."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from contracts.events import NodeEvent
from contracts.tool_registry import BigQuerySink, JsonLinesSink, Sink, StdoutSink
from sparkle_dagster.observability.spool import SpooledEvent


class Delivery(Protocol):
    """One sink, open."""

    def deliver(self, events: Sequence[SpooledEvent]) -> Sequence[SpooledEvent]:
        """Hand over the events, all of them; returns those that the sink will never take.

        Raises: whatever went wrong, when trying again may help; it is given the same events again.
        """
        ...


def open_sink(sink: Sink, resolve: Callable[[str], Path]) -> Delivery | None:
    """A sink as the tool registry names it; None for one that is not delivered to but asks by itself.

    Args:
        resolve: makes a path of the registry absolute.
    """
    if isinstance(sink, StdoutSink):
        return StandardOutput(sys.stdout, sink.style)
    if isinstance(sink, JsonLinesSink):
        return JsonLinesFile(resolve(sink.path))
    if isinstance(sink, BigQuerySink):
        from sparkle_dagster.observability.bigquery_sink import BigQueryTable

        return BigQueryTable(sink)
    return None


class StandardOutput:
    """A line per event; after a crash the last ones may come twice, with the same ``event_id``."""

    def __init__(self, stream: TextIO, style: str) -> None:
        self._stream = stream
        self._line = line_for_people if style == "human" else NodeEvent.as_json

    def deliver(self, events: Sequence[SpooledEvent]) -> Sequence[SpooledEvent]:
        self._stream.write("".join(self._line(item.event) + "\n" for item in events))
        self._stream.flush()
        return ()


class JsonLinesFile:
    """A file that grows by a line per event, each exactly once: what a crash left half done is found at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] | None = None

    def deliver(self, events: Sequence[SpooledEvent]) -> Sequence[SpooledEvent]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if self._seen is None:
                self._seen = _ids_at_the_end(descriptor, 2 * len(events))
            text = "".join(item.event.as_json() + "\n" for item in events if item.event.event_id not in self._seen)
            data = text.encode()
            while data:
                data = data[os.write(descriptor, data) :]
            os.fdatasync(descriptor)
            self._seen = set()
        except BaseException:
            self._seen = None  # a part may have been written: look again
            raise
        finally:
            os.close(descriptor)
        return ()


def line_for_people(event: NodeEvent) -> str:
    """Such as ``18:04:11  voice-0123456789abcdef  lipsync  succeeded  mouth_warp  4.2 s``."""
    parts = [event.at[11:19], event.production, event.node_id, event.status.value, event.provider]
    if event.status.is_terminal and event.latency_ms:
        parts.append(f"{event.latency_ms / 1000:.1f} s")
    if event.error:
        parts.append(f"{event.error}: {event.message}")
    return "  ".join(part for part in parts if part)


def _ids_at_the_end(descriptor: int, count: int) -> set[str]:
    """Event ids of the last lines of a file; a half line at its end is cut off."""
    size = os.fstat(descriptor).st_size
    start = max(size - max(count, 1) * 16 * 1024, 0)
    data = os.pread(descriptor, size - start, start)
    whole, _, half = data.rpartition(b"\n")
    if half:
        os.ftruncate(descriptor, size - len(half))
    ids: set[str] = set()
    for line in whole.splitlines():
        try:
            document: Mapping[str, Any] = json.loads(line)
            ids.add(str(document["event_id"]))
        except (ValueError, KeyError, TypeError):
            continue
    return ids
