"""What the Dagster UI shows of a materialization: pictures first, then facts, then how it came to be.

The UI shows Markdown below 1,000 characters at once and folds longer values: a thumbnail is seen, a contact sheet is
one click away.
"""

import base64
from collections.abc import Iterable
from typing import Any

import dagster as dg

from contracts.artifacts import ArtifactRef, MediaInfo
from contracts.events import Attempt, NodeRecord
from contracts.media import InspectionResult
from contracts.production import Metrics, TaskResult
from contracts.qa import QAReviewResult
from sparkle_dagster.execution.node_run import NodeOutcome, artifacts_of, usage_of
from sparkle_dagster.observability.words import value_in_words
from sparkle_dagster.workspace import Workspace

MAX_INLINE_BYTES = 400_000
"""A picture above this is named, not inlined: it would be kept in the event log for ever."""
MAX_TEXT_CHARACTERS = 2_000


def metadata_of(outcome: NodeOutcome, workspace: Workspace) -> dict[str, dg.MetadataValue[Any]]:
    """Metadata of one outcome; which keys appear follows from the result's contract."""
    result, record = outcome.result, outcome.record
    metadata: dict[str, dg.MetadataValue[Any]] = {}
    for name, ref in artifacts_of(result).items():
        inspection = record.previews.get(ref.digest)
        metadata |= _preview(name, ref, InspectionResult.parse(inspection) if inspection else None, workspace)
    if isinstance(result, QAReviewResult):
        metadata["verdict"] = dg.MetadataValue.text(result.verdict.value)
        metadata["checks"] = dg.MetadataValue.md(checks_table(result))
    text = getattr(result, "text", "")
    if text:
        metadata["text"] = dg.MetadataValue.md(_quoted(text))
    metadata |= _metrics(result)
    return metadata | _provenance(result, record, outcome.data_version)


def _provenance(result: TaskResult, record: NodeRecord, data_version: str) -> dict[str, dg.MetadataValue[Any]]:
    return {
        "provider": dg.MetadataValue.text(record.provider),
        "fidelity": dg.MetadataValue.text(result.fidelity.value),
        "status": dg.MetadataValue.text(record.status.value),
        "reason": dg.MetadataValue.text(record.reason),
        "resolution": dg.MetadataValue.md(_resolution(record)),
        "attempts": dg.MetadataValue.md(attempts_table(record.attempts)),
        "retries": dg.MetadataValue.int(max(len(record.attempts) - 1, 0)),
        **_placement(record),
        "latency_ms": dg.MetadataValue.int(record.latency_ms),
        **_cost(result, record),
        "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in result.notes) or "none"),
        "artifacts": dg.MetadataValue.json(
            {name: {"path": ref.path, "checksum": ref.checksum} for name, ref in artifacts_of(result).items()}
        ),
        "digest": dg.MetadataValue.text(data_version),
    }


def _cost(result: TaskResult, record: NodeRecord) -> dict[str, dg.MetadataValue[Any]]:
    """Numbers that the UI plots over time; what is not known is left out."""
    usage = usage_of(record.attempts)
    lengths = [ref.media.duration_seconds for ref in artifacts_of(result).values() if ref.media]
    longest = max(lengths, default=0.0)
    numbers = {
        "queue_ms": record.queue_ms,
        "cpu_s": usage.cpu_s,
        "peak_memory_mb": usage.peak_memory_mb,
        "gpu_memory_mb": usage.gpu_memory_mb,
        "real_time_factor": round(record.latency_ms / 1000 / longest, 3) if longest else None,
    }
    return {name: dg.MetadataValue.float(float(value)) for name, value in numbers.items() if value is not None}


def _placement(record: NodeRecord) -> dict[str, dg.MetadataValue[Any]]:
    """Where the attempt ran that made the result; nothing where nothing ran."""
    placement = record.attempts[-1].placement if record.attempts else None
    return {"placement": dg.MetadataValue.text(str(placement))} if placement else {}


def _preview(
    name: str, ref: ArtifactRef, inspection: InspectionResult | None, workspace: Workspace
) -> dict[str, dg.MetadataValue[Any]]:
    found: dict[str, dg.MetadataValue[Any]] = {}
    if inspection:
        for kind, thumbnail in (("picture", inspection.poster_thumbnail), ("sound", inspection.waveform_thumbnail)):
            if thumbnail:
                found[f"{name}/{kind}"] = dg.MetadataValue.md(f"![{kind}]({thumbnail})")
        picture = inspection.contact_sheet or inspection.poster
        if picture:
            found[f"{name}/preview"] = dg.MetadataValue.md(_picture(picture, workspace))
        if inspection.waveform:
            found[f"{name}/waveform"] = dg.MetadataValue.md(_picture(inspection.waveform, workspace))
        if inspection.text and ref.media_type != "application/json":
            found[f"{name}/text"] = dg.MetadataValue.md(_quoted(inspection.text))
    if ref.media and ref.media.kind != "data":
        found[f"{name}/facts"] = dg.MetadataValue.text(facts_line(ref.media, ref.size_bytes))
    return found


def facts_line(info: MediaInfo, size_bytes: int) -> str:
    """Such as ``video 7.08 s, 720x720, 25 fps, h264 + aac 48000 Hz x2, 812,345 bytes``."""
    parts: list[str] = [f"{info.kind} {info.duration_seconds:.2f} s" if info.duration_seconds else info.kind]
    if info.video:
        parts.append(f"{info.video.width}x{info.video.height}")
        if info.video.fps:
            parts.append(f"{info.video.fps:g} fps")
    codecs = [info.video.codec] if info.video else []
    if info.audio:
        codecs.append(f"{info.audio.codec} {info.audio.sample_rate_hz} Hz x{info.audio.channels}")
    if codecs:
        parts.append(" + ".join(codecs))
    return ", ".join([*parts, f"{size_bytes:,} bytes"])


def checks_table(review: QAReviewResult) -> str:
    """The checks as a Markdown table."""
    rows = [
        f"| {check.status} | {_cell(check.title)} | {_cell(value_in_words(check))} | {_cell(check.message)} |"
        for check in review.checks
    ]
    return "\n".join(["| status | check | value | what was seen |", "|---|---|---|---|", *rows])


def _metrics(result: TaskResult) -> dict[str, dg.MetadataValue[Any]]:
    metrics = getattr(result, "metrics", None)
    if not isinstance(metrics, Metrics):
        return {}
    found: dict[str, dg.MetadataValue[Any]] = {}
    for name, value in metrics:
        if isinstance(value, bool):
            found[name] = dg.MetadataValue.bool(value)
        elif isinstance(value, int):
            found[name] = dg.MetadataValue.int(value)
        elif isinstance(value, float):
            found[name] = dg.MetadataValue.float(round(value, 3))
    return found


def _resolution(record: NodeRecord) -> str:
    rows = [f"| {item.provider} | {item.outcome} | {_cell(item.reason)} |" for item in record.trace]
    return "\n".join(["| provider | outcome | reason |", "|---|---|---|", *rows])


def attempts_table(attempts: Iterable[Attempt]) -> str:
    """Every start of a provider as a Markdown table."""
    rows = [
        f"| {item.provider} | {item.number} | {item.error or 'succeeded'} | {item.latency_ms} ms "
        f"| {_cell(item.message)} |"
        for item in attempts
    ]
    return "\n".join(["| provider | attempt | ended with | latency | message |", "|---|---|---|---|---|", *rows])


def _picture(ref: ArtifactRef, workspace: Workspace) -> str:
    if ref.size_bytes > MAX_INLINE_BYTES:
        return f"`{ref.path}` ({ref.size_bytes:,} bytes)"
    with workspace.store.open(ref) as stream:
        encoded = base64.b64encode(stream.read()).decode()
    return f"![preview](data:{ref.media_type};base64,{encoded})"


def _quoted(text: str) -> str:
    """The beginning of a text as a Markdown code block, whatever it contains."""
    shown = text if len(text) <= MAX_TEXT_CHARACTERS else text[:MAX_TEXT_CHARACTERS] + " ..."
    return "```\n" + shown.replace("```", "'''") + "\n```"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
