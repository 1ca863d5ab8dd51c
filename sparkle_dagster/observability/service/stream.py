"""Node events as a server-sent stream: each once, in order, numbered, also across a restart of the service."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sparkle_dagster.observability.service.watch import Watch
from sparkle_dagster.observability.spool import SpooledEvent

POLL_SECONDS = 0.25
STILL_HERE_SECONDS = 15.0
"""A comment this often, so that neither a proxy nor a client takes silence for the end."""


async def stream(watch: Watch, production: str | None, after: int | None) -> AsyncIterator[str]:
    """``node`` events with their numbers as ids; ``progress`` and ``status`` without, since they are of the moment.

    Args:
        production: of this one only.
        after: number of the last event that the client has; None: only what comes from now on, after a ``status``.
    """
    number = watch.snapshot.number if after is None else after
    if after is None:
        yield _message("status", _document(watch, production))
    elif after < watch.spool.first - 1:
        yield _message("gap", {"missing": watch.spool.first - 1 - after})
    told: Any = None
    silent_seconds = 0.0
    while True:
        items: list[SpooledEvent] = []
        if watch.snapshot.number > number:
            items = await asyncio.to_thread(watch.spool.read, number)
        for item in items:
            number = item.number
            if production in (None, item.event.production):
                document = item.event.model_dump(mode="json", exclude_none=True)
                yield _message("node", document, item.number)
                silent_seconds = 0.0
        if production is not None and (moving := _moving(watch, production)) and moving != told:
            told = moving
            yield _message("progress", moving)
            silent_seconds = 0.0
        if not items:
            await asyncio.sleep(POLL_SECONDS)
            silent_seconds += POLL_SECONDS
        if silent_seconds >= STILL_HERE_SECONDS:
            silent_seconds = 0.0
            yield ": still here\n\n"


def _moving(watch: Watch, production: str) -> dict[str, Any]:
    """Percentages of a production in flight."""
    status = watch.snapshot.productions.get(production)
    if status is None:
        return {}
    nodes = {node.node_id: node.percent for node in status.nodes if node.percent is not None}
    return {"percent": status.percent, "nodes": nodes, "eta": status.eta.model_dump() if status.eta else None}


def _document(watch: Watch, production: str | None) -> Any:
    if production is None:
        return json.loads(watch.snapshot.body)
    status = watch.projection.production(production)
    return watch.detailed(status).model_dump(mode="json") if status else None


def _message(kind: str, document: Any, number: int | None = None) -> str:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(document, ensure_ascii=False)}\n\n"
