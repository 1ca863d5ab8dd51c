"""Drawings of the report as inline SVG and HTML: the graph with providers and fidelity, and when each node did what."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.events import NodeStatus
from contracts.status import NodeState, ProductionStatus
from sparkle_dagster.workflow.graph import Workflow

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 150, 58, 46, 22, 8
"""Pixels of the graph; the page scrolls it where it is wider than the screen."""


@dataclass(frozen=True)
class Bar:
    """One node on the time line."""

    node_id: str
    status: NodeStatus
    queued_at: datetime
    started_at: datetime
    ended_at: datetime


def graph(workflow: Workflow, nodes: Sequence[NodeState]) -> str:
    """Boxes in the order of the work, an arrow for each input; colours by state, a label by fidelity."""
    sources = {
        "upload": (),
        **{node.id: tuple(dict.fromkeys((*node.data_upstream, *node.order_upstream))) for node in workflow.nodes},
    }
    uses_upload = {node.id for node in workflow.nodes if any(item.source == "upload" for item in node.inputs)}
    arrows = {
        name: (*before, *(("upload",) if name in uses_upload and not before else ()))
        for name, before in sources.items()
    }
    columns = _columns(arrows)
    rows: dict[str, int] = {}
    for name, column in columns.items():
        rows[name] = sum(1 for other in rows if columns[other] == column)
    states = {node.node_id: node for node in nodes}
    width = (max(columns.values()) + 1) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    height = (max(rows.values()) + 1) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN

    def at(name: str) -> tuple[int, int]:
        return MARGIN + columns[name] * (BOX_WIDTH + GAP_X), MARGIN + rows[name] * (BOX_HEIGHT + GAP_Y)

    parts = [_arrow(at(source), at(name)) for name, before in arrows.items() for source in before]
    parts += [_box(at(name), name, states.get(name)) for name in arrows]
    return (
        f'<svg class="graph" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="graph of the workflow">{"".join(parts)}</svg>'
    )


def bars_of(status: ProductionStatus) -> list[Bar]:
    """What the newest run of each node did when; nodes that never began have none."""
    bars: list[Bar] = []
    for node in status.nodes:
        if node.status is None or not node.started_at:
            continue
        started = datetime.fromisoformat(node.started_at)
        queued = datetime.fromisoformat(node.queued_at) if node.queued_at else started
        if node.queue_ms is not None:  # it waits from when it could have begun, not from when its run did
            queued = started - timedelta(milliseconds=node.queue_ms)
        ended = datetime.fromisoformat(node.ended_at) if node.ended_at else _end(started, node, status)
        bars.append(Bar(node.node_id, node.status, min(queued, started), started, max(ended, started)))
    return bars


def time_line(bars: Sequence[Bar]) -> str:
    """A row per node on one axis; empty where nothing has begun."""
    if not bars:
        return '<p class="soft">Nothing has begun yet.</p>'
    first, last = min(bar.queued_at for bar in bars), max(bar.ended_at for bar in bars)
    whole = max((last - first).total_seconds(), 0.001)
    rows = "".join(_row(bar, first, whole) for bar in bars)
    axis = f'<div></div><div class="soft axis"><span>0 s</span><span>{whole:.1f} s</span></div><div></div>'
    return f'<div class="gantt">{rows}{axis}</div>'


def _row(bar: Bar, first: datetime, whole: float) -> str:
    def percent(moment: datetime) -> float:
        return 100 * (moment - first).total_seconds() / whole

    queued, started, ended = percent(bar.queued_at), percent(bar.started_at), percent(bar.ended_at)
    waited = (bar.started_at - bar.queued_at).total_seconds()
    took = (bar.ended_at - bar.started_at).total_seconds()
    words = f"{bar.node_id}: waited {waited:.1f} s, {bar.status.value} after {took:.1f} s"
    return (
        f'<div>{html.escape(bar.node_id)}</div><div class="lane" title="{html.escape(words)}">'
        f'<i class="wait" style="left:{queued:.2f}%;width:{max(started - queued, 0):.2f}%"></i>'
        f'<i class="work {bar.status.value}" style="left:{started:.2f}%;width:{max(ended - started, 0.4):.2f}%"></i>'
        f'</div><div class="soft took">{took:.1f} s</div>'
    )


def _end(started: datetime, node: NodeState, status: ProductionStatus) -> datetime:
    if node.latency_ms:
        return started + timedelta(milliseconds=node.latency_ms)
    return max(started, datetime.fromisoformat(status.updated_at)) if status.updated_at else started


def _columns(arrows: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How far each node is from the upload; the workflow's order is one of the work."""
    columns: dict[str, int] = {}
    for name, before in arrows.items():
        columns[name] = max((columns[source] + 1 for source in before if source in columns), default=0)
    return columns


def _arrow(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1, x2, y2 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT // 2, target[0], target[1] + BOX_HEIGHT // 2
    middle = (x1 + x2) / 2
    if target[0] - source[0] > BOX_WIDTH + GAP_X and y1 == y2:  # past other boxes: below them
        low = y1 + BOX_HEIGHT / 2 + GAP_Y / 2
        return f'<path d="M{x1} {y1} C{x1 + 20} {low} {x2 - 20} {low} {x2} {y2}"/>'
    return f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"/>'


def _box(place: tuple[int, int], name: str, node: NodeState | None) -> str:
    x, y = place
    status = node.status.value if node and node.status else "never"
    fidelity = node.fidelity.value if node and node.fidelity else ""
    lines = [(name, "name"), (node.provider if node and node.provider else status, "who")]
    shown = status if not fidelity else f"{fidelity}, {status.replace('_', ' ')}"
    lines.append((shown, f"state {status} {fidelity}"))
    texts = "".join(
        f'<text x="{x + 10}" y="{y + 18 + 16 * index}" class="{kind}">{html.escape(text[:22])}</text>'
        for index, (text, kind) in enumerate(lines)
    )
    return f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="9" class="{status}"/>{texts}'
