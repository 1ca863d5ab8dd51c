"""Where node events go besides Dagster's event log. A sink that fails never fails the run."""

import sys
from collections.abc import Iterable

from contracts.events import NodeEvent
from contracts.tool_registry import StdoutSink


def emit_to_sinks(sinks: Iterable[StdoutSink], event: NodeEvent) -> None:
    """One JSON line per event and sink."""
    for _sink in sinks:
        try:
            sys.stdout.write(event.model_dump_json() + "\n")
            sys.stdout.flush()
        except OSError:
            return
