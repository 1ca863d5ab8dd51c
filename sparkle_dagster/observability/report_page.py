"""The report: one self-contained HTML page of a production. Works from disk, asks no server for anything."""

import base64
import html
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, BinaryIO

from contracts.artifacts import ArtifactRef
from contracts.events import NodeSummary, RunSummary
from contracts.lipsync import LipSyncResult
from contracts.media import WAVEFORM_END_X, WAVEFORM_HEIGHT, WAVEFORM_START_X, WAVEFORM_WIDTH
from contracts.qa import Evidence, QACheck, QAReviewResult
from contracts.script import MouthCurve, ScriptResult
from contracts.status import ProductionStatus
from contracts.upload import UploadOptions, UploadResult
from contracts.video import VideoAssemblyResult
from sparkle_dagster.observability.production_view import Production, Stage
from sparkle_dagster.observability.report_drawings import bars_of, graph, time_line
from sparkle_dagster.observability.store_status import status_from_store
from sparkle_dagster.observability.words import limits_in_words, spans_in_words, value_in_words

CURVES_HEIGHT, CURVES_BOTTOM = 130, 370
"""Of the mouth's curves below the waveform, in its pixels."""
NOTICEABLE_OPENING = 0.5
"""A curve that never gets here is drawn flat, as it is, not blown up to the full height."""
LEGEND = {"intended": "as told", "measured": "as measured in the finished picture"}
TEMPLATE = Path(__file__).with_name("report_page.html")
VIDEO_HERE = "<video>"
"""Where the bytes of the video go: no value holds a bare ``<``, for all are escaped."""
BLOCK_BYTES = 3 << 16  # a multiple of three, so that the blocks' base64 joins
VERDICT_WORDS = {
    "approve": "approved",
    "review": "not approved: a person should look",
    "reject": "not approved: rejected",
    "not_reviewed": "not approved: not reviewed",
    "": "not approved: unfinished or out of date",
}


@dataclass(frozen=True)
class Live:
    """A page that the status service serves: it follows what happens, and may ask the service for bytes."""

    status: ProductionStatus
    dagster_url: str


def write_report(production: Production, summary: RunSummary, file: BinaryIO) -> None:
    """The page that works from disk and asks nobody for anything; the video goes into it block by block.

    Every value that came from outside is escaped.
    """
    before, _, after = _page(production, summary, None).partition(VIDEO_HERE)
    file.write(before.encode())
    video = production.newest(VideoAssemblyResult)
    if video is not None:
        with production.workspace.store.open(video.assembled_video) as stream:
            while block := stream.read(BLOCK_BYTES):
                file.write(base64.b64encode(block))
    file.write(after.encode())


def live_report(production: Production, summary: RunSummary, live: Live) -> str:
    """The same page as the status service serves it, as HTML text; the video is asked for by the browser."""
    return _page(production, summary, live)


def _page(production: Production, summary: RunSummary, live: Live | None) -> str:
    video = production.newest(VideoAssemblyResult)
    script = production.newest(ScriptResult)
    review = production.newest(QAReviewResult)
    sheet = _contact_sheet(production, video)
    status = live.status if live else status_from_store(production)
    has_upload = production.newest(UploadResult) is not None
    source = video.assembled_video if video else None
    src = ""
    if source:
        src = f"/artifacts/{source.digest}" if live else f"data:{source.media_type};base64,{VIDEO_HERE}"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(summary.title or production.key),
        production=html.escape(production.key),
        verdict=html.escape(summary.verdict or "unfinished"),
        verdict_words=html.escape(VERDICT_WORDS[summary.verdict]),
        fidelity=html.escape(summary.fidelity.value if summary.fidelity else "unknown"),
        state=html.escape(_state_in_words(live)),
        home='<a href="/">all productions</a>' if live else "",
        player=_player(src, source, _data_uri(production, video.poster) if video and video.poster else ""),
        contact_sheet=f'<img alt="contact sheet" src="{sheet}">' if sheet else "<p>No picture was made.</p>",
        cues=json_for_script(cues_of(production, video)),
        timeline=_timeline(production) if has_upload else "",
        legend=_legend(production),
        transcript=html.escape(script.text if script and script.text else "No words."),
        checks="\n".join(map(_check_row, sorted(review.checks, key=_urgency))) if review else "",
        graph=graph(production.workspace.workflow, status.nodes),
        bars=time_line(bars_of(status)),
        nodes="\n".join(_node_row(node) for node in summary.nodes),
        notes="\n".join(f"<li>{html.escape(note)}</li>" for node in summary.nodes for note in node.notes),
        lineage="\n".join(_lineage_row(stage) for stage in production.stages),
        definition=html.escape(production.workspace.workflow.definition_digest[:16]),
        logs=_logs(summary, status, live),
        artifacts="\n".join(_artifact_row(name, ref, live) for name, ref in summary.artifacts.items()),
        command=html.escape(command_for(production)) if has_upload else "",
        rerun=html.escape(f"sparkle rerun {production.key} --from {summary.nodes[1].node_id}"),
        live=json_for_script(f"/status/{production.key}/events" if live else ""),
    )


def command_for(production: Production) -> str:
    """The command that makes this production again from the files as they came; safe to paste into a shell."""
    upload, defaults = production.upload, UploadOptions()
    language = production.workspace.registry.settings.language
    names = {role: _as_path(name) for role, name in upload.source_names.items()}
    words = ["sparkle", "run", names.get("audio", "AUDIO")]
    words += [f"--{role}={names[role]}" for role in ("face", "transcript") if role in names]
    words += [f"--title={upload.title}"] if upload.title else []
    words += [f"--language={upload.language}"] if upload.language != language else []
    words += [f"--profile={upload.profile}"] if upload.profile != defaults.profile else []
    words += [f"--captions={upload.captions}"] if upload.captions != defaults.captions else []
    words += [f"--tag={tag}" for tag in upload.tags]
    return shlex.join(words)


def _state_in_words(live: Live | None) -> str:
    """Of a page that follows: what goes on now."""
    if live is None or live.status.state == "succeeded":
        return ""
    percent = f" {live.status.percent:.0f} %" if live.status.percent is not None else ""
    eta = live.status.eta
    left = f", about {eta.seconds:.0f} s left ({eta.low_seconds:.0f} to {eta.high_seconds:.0f})" if eta else ""
    return f"{live.status.state}{percent}{left}"


def _player(src: str, source: ArtifactRef | None, poster: str) -> str:
    if source is None:
        return '<p class="soft">No video yet.</p>'
    return (
        f'<video id="video" data-digest="{source.digest}" controls preload="auto" playsinline poster="{poster}" '
        f'src="{src}"></video>'
    )


def _lineage_row(stage: Stage) -> str:
    """What one result was made from and by whom, down to digests."""
    record = stage.record
    weights = {f"weights {name}": digest for name, digest in record.weights.items()}
    parts = {**record.inputs, **weights}
    if isinstance(stage.result, UploadResult):
        names = stage.result.source_names
        roles = {
            "audio": stage.result.audio_track,
            "face": stage.result.video_stub,
            "transcript": stage.result.transcript,
        }
        parts = {f"{role}: {names.get(role, 'of the workspace')}": ref.digest for role, ref in roles.items() if ref}
    made_from = "<br>".join(
        f"{html.escape(source)} <code>{html.escape(digest[:12])}</code>" for source, digest in parts.items()
    )
    switches = ", ".join(f"{name}={value}" for name, value in record.switches.items())
    return (
        f"<tr><td>{html.escape(stage.node_id)}</td><td>{made_from}</td>"
        f"<td>{html.escape(record.provider)} {html.escape(record.provider_version)}</td>"
        f"<td><code>{html.escape(record.code_version)}</code></td><td>{html.escape(switches)}</td>"
        f"<td><code>{html.escape(stage.data_version[:16])}</code></td></tr>"
    )


def _logs(summary: RunSummary, status: ProductionStatus, live: Live | None) -> str:
    """Where to read more: the log file of the last run, and each run in the Dagster UI."""
    lines = [f"<li><code>{html.escape(summary.logs)}</code></li>"] if summary.logs else []
    run_ids = dict.fromkeys([*summary.run_ids, *(node.run_id for node in status.nodes)])
    for run_id in (html.escape(run_id) for run_id in run_ids if run_id):
        link = f'<a href="{html.escape(live.dagster_url)}/runs/{run_id}">{run_id}</a>' if live else run_id
        lines.append(f"<li>run {link}</li>")
    return "".join(lines)


def _as_path(name: str) -> str:
    """A file's name as an argument, which a leading dash would make an option."""
    return f"./{name}" if name.startswith("-") else name


def _data_uri(production: Production, ref: ArtifactRef) -> str:
    with production.workspace.store.open(ref) as stream:
        return f"data:{ref.media_type};base64,{base64.b64encode(stream.read()).decode()}"


def _contact_sheet(production: Production, video: VideoAssemblyResult | None) -> str:
    inspection = production.inspection(video.assembled_video) if video else None
    return _data_uri(production, inspection.contact_sheet) if inspection and inspection.contact_sheet else ""


def cues_of(production: Production, video: VideoAssemblyResult | None) -> list[dict[str, Any]]:
    """The cues that the video carries; browsers show no mov_text and load no track from disk, so they go inline."""
    if video is None or not video.captions_in_video or video.captions_vtt is None:
        return []
    with production.workspace.store.open(video.captions_vtt) as stream:
        return list(_parsed_vtt(stream.read().decode("utf-8")))


def _parsed_vtt(text: str) -> Iterator[dict[str, Any]]:
    """Cues of a WebVTT file as the script stage writes it; a subtitle library would drop ``{...}`` and ``\\N``."""
    for block in text.split("\n\n"):
        lines = block.strip().split("\n")
        for number, line in enumerate(lines):
            start, arrow, end = line.partition(" --> ")
            if arrow:
                words = html.unescape("\n".join(lines[number + 1 :]))
                yield {"start": _vtt_seconds(start), "end": _vtt_seconds(end), "text": words}
                break


def _vtt_seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.strip().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def json_for_script(value: Any) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _timeline(production: Production) -> str:
    """Waveform, and mouth opening below it, intended and measured, on the waveform's own time axis."""
    upload = production.upload
    duration = upload.audio_track.media.duration_seconds if upload.audio_track.media else 0.0
    inspection = production.inspection(upload.audio_track)
    if not duration or inspection is None or inspection.waveform is None:
        return ""
    size = f'width="{WAVEFORM_WIDTH}" height="{WAVEFORM_HEIGHT}"'
    parts = [f'<image href="{_data_uri(production, inspection.waveform)}" x="0" y="0" {size}/>']
    parts += [_polyline(name, curve, duration) for name, curve in _mouth_curves(production).items()]
    return f"""{"".join(parts)}<line id="playhead" x1="12" x2="12" y1="0" y2="{CURVES_BOTTOM}"/>"""


def _mouth_curves(production: Production) -> dict[str, MouthCurve]:
    """The curves that exist, by their class in the page."""
    lipsync, review = production.newest(LipSyncResult), production.newest(QAReviewResult)
    refs = {
        "intended": lipsync.mouth_curve if lipsync else None,
        "measured": review.measured_mouth_curve if review else None,
    }
    curves: dict[str, MouthCurve] = {}
    for name, ref in refs.items():
        if ref is not None:
            with production.workspace.store.open(ref) as stream:
                curves[name] = MouthCurve.parse_json(stream.read())
    return curves


def _legend(production: Production) -> str:
    curves = _mouth_curves(production)
    items = "".join(f'<i class="{name}"></i>{LEGEND[name]}' for name in curves)
    return (
        f"Voice above, mouth opening below:{items}" if curves else "Voice. No mouth opening was intended or measured."
    )


def _polyline(name: str, curve: MouthCurve, duration: float) -> str:
    top = max((*curve.opening, NOTICEABLE_OPENING))
    points = " ".join(
        f"{WAVEFORM_START_X + (WAVEFORM_END_X - WAVEFORM_START_X) * index / curve.rate_hz / duration:.1f},"
        f"{CURVES_BOTTOM - CURVES_HEIGHT * value / top:.1f}"
        for index, value in enumerate(curve.opening)
    )
    return f'<polyline class="{name}" points="{points}"/>'


def _urgency(check: QACheck) -> int:
    """Findings come first."""
    return ("fail", "warn", "pass", "skipped").index(check.status)


def _check_row(check: QACheck) -> str:
    evidence = " ".join(_seek_button(found) for found in check.evidence[:8])
    more = f" and {len(check.evidence) - 8} more" if len(check.evidence) > 8 else ""
    sure = f'<br><span class="soft">sure {check.confidence:.0%}</span>' if check.confidence is not None else ""
    how = "".join(f", {name.replace('_', ' ')} {value}" for name, value in check.parameters.items())
    return (
        f'<tr class="{check.status}"><td>{check.status}</td>'
        f'<td title="{html.escape(f"version {check.version}{how}")}">{html.escape(check.title)}<br>'
        f"<code>{check.id}</code></td>"
        f"<td>{html.escape(value_in_words(check))}{sure}</td><td>{html.escape(limits_in_words(check))}</td>"
        f'<td>{html.escape(check.message)}<div class="evidence">{evidence}{more}</div></td></tr>'
    )


def _seek_button(found: Evidence) -> str:
    picture = f'<img alt="" src="{html.escape(found.thumbnail)}">' if found.thumbnail else ""
    return f'<button type="button" data-seek="{found.start_seconds:.3f}">{picture}{spans_in_words([found])}</button>'


def _node_row(node: NodeSummary) -> str:
    status = (node.status.value if node.status else "never made") + (", out of date" if node.out_of_date else "")
    told = [node.error, node.reason, *(f"{item.provider}: {item.reason}" for item in node.trace if item.reason)]
    told += [f"{item.provider} #{item.number} {item.error}" for item in node.attempts if item.error]
    return (
        f"<tr><td>{html.escape(node.node_id)}</td><td>{html.escape(node.asset)} @{node.generation}</td>"
        f"<td>{html.escape(status)}</td><td>{html.escape(node.provider)}</td>"
        f'<td><span class="tag {node.fidelity or ""}">{node.fidelity or ""}</span></td>'
        f"<td>{node.latency_ms / 1000:.1f} s</td><td><code>{node.data_version[:12]}</code></td>"
        f"<td>{html.escape('; '.join(text for text in dict.fromkeys(told) if text))}</td></tr>"
    )


def _artifact_row(name: str, ref: ArtifactRef, live: Live | None) -> str:
    shown = html.escape(name)
    if live:
        shown = f'<a href="/artifacts/{ref.digest}">{shown}</a>'
    return (
        f"<tr><td>{shown}</td><td>{html.escape(ref.media_type)}</td><td>{ref.size_bytes:,}</td>"
        f"<td><code>{ref.checksum}</code></td></tr>"
    )
