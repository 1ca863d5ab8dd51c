"""Where a run's events go first: the spool of its installation, and nowhere else."""

import logging
from functools import cache
from pathlib import Path

from contracts.events import NodeEvent
from sparkle_dagster.observability.spool import EventSpool
from sparkle_dagster.workspace import Workspace

_log = logging.getLogger("sparkle.events")


def spool_of(workspace: Workspace) -> EventSpool:
    """The spool of an installation; the same object for every caller in this process."""
    return _spool(workspace.settings.home, workspace.registry.settings.events.keep_bytes)


def emit(workspace: Workspace, *events: NodeEvent) -> None:
    """Keep events for delivery. A spool that cannot be written costs the event, never the run."""
    if not events:
        return
    try:
        spool_of(workspace).append(events)
    except OSError as error:
        _log.warning("%d event(s) of %s were lost: %s", len(events), events[0].production, error)


@cache
def _spool(home: Path, keep_bytes: int) -> EventSpool:
    return EventSpool(home / "events" / "spool", keep_bytes)
