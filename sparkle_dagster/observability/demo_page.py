"""The demo's page: one production twice, side by side, and which nodes its reruns touched."""

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from contracts.events import RunSummary
from contracts.video import VideoAssemblyResult
from sparkle_dagster.observability.production_view import Production
from sparkle_dagster.observability.report_page import VERDICT_WORDS, cues_of, json_for_script

TEMPLATE = Path(__file__).with_name("demo_page.html")


def render_demo(production: Production, takes: Sequence[tuple[str, str, RunSummary]]) -> str:
    """HTML of the page.

    Args:
        takes: (folder beside the page, heading, summary when it was exported), the first one first.
    """
    first, *others = takes
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        production=html.escape(production.key),
        takes="\n".join(_take(*take) for take in takes),
        cues=json_for_script(cues_of(production, production.newest(VideoAssemblyResult))),
        headings="".join(f"<th>{html.escape(heading)}</th>" for _, heading, _ in others),
        rows="\n".join(
            _row(index, first[2], [summary for _, _, summary in others]) for index in range(len(first[2].nodes))
        ),
    )


def _take(folder: str, heading: str, summary: RunSummary) -> str:
    words = html.escape(VERDICT_WORDS[summary.verdict])
    return (
        f"<section><h2>{html.escape(heading)}</h2>"
        f'<video controls preload="auto" playsinline poster="{folder}/poster.jpg" src="{folder}/video.mp4"></video>'
        f'<p><span class="badge {summary.verdict}">{words}</span> <span class="tag">{summary.fidelity}</span> '
        f'<a href="{folder}/report.html">the whole report</a></p></section>'
    )


def _row(index: int, before: RunSummary, later: Sequence[RunSummary]) -> str:
    node = before.nodes[index]
    cells: list[str] = []
    for summary in later:
        now = summary.nodes[index]
        touched = now.generation != node.generation
        cells.append(
            f'<td class="touched">made again by {html.escape(now.provider)} (generation {now.generation})</td>'
            if touched
            else "<td>untouched</td>"
        )
    return (
        f"<tr><td>{html.escape(node.node_id)}</td><td>{html.escape(node.provider)} "
        f"(generation {node.generation}, {node.latency_ms / 1000:.1f} s)</td>{''.join(cells)}</tr>"
    )
