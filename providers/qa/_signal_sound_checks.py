"""Checks of what is heard: holes, clipping, loudness, and whether it is the recording, in its place."""

from collections.abc import Sequence

from contracts.artifacts import Span
from contracts.qa import QACheck
from providers._media.loudness import Loudness
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_source import SAME_FROM, TIMED_FROM, Comparison

LEAST_RANGE_SECONDS = 60.0  # EBU Tech 3342: shorter programmes have too few parts


def silence(catalogue: Catalogue, comparison: Comparison) -> QACheck:
    if comparison.same_share is not None and comparison.same_share < SAME_FROM:
        return catalogue.skipped("silence", "The sound is not the recording, so its pauses tell nothing.")
    longest = max((span.duration_seconds for span in comparison.silences), default=0.0)
    message = (
        f"{len(comparison.silences)} silent stretches where the recording is not; the longest is {longest:.2f} s."
        if comparison.silences
        else "The sound is never silent where the recording is not."
    )
    return catalogue.measured("silence", longest, message, evidence=comparison.silences, digits=2)


def clipping(catalogue: Catalogue, clipped: Sequence[Span]) -> QACheck:
    message = f"{len(clipped)} places stay at full scale." if clipped else "No place stays at full scale."
    return catalogue.measured("clipping", len(clipped), message, evidence=clipped, digits=0)


def loudness(catalogue: Catalogue, found: Loudness, source_is_silent: bool, target_lufs: float) -> QACheck:
    if found.integrated_lufs is not None:
        message = f"{found.integrated_lufs:.1f} LUFS integrated; the target is {target_lufs:g} LUFS."
        return catalogue.measured("loudness", found.integrated_lufs, message, digits=1)
    if source_is_silent:
        return catalogue.skipped("loudness", "The recording itself is silent.")
    return catalogue.judged("loudness", "fail", "silent", f"Nothing is heard; the target is {target_lufs:g} LUFS.")


def loudness_range(catalogue: Catalogue, found: Loudness, seconds: float) -> QACheck:
    if seconds < LEAST_RANGE_SECONDS or found.range_lu is None:
        why = f"A loudness range is defined from {LEAST_RANGE_SECONDS:.0f} s on; this is {seconds:.0f} s."
        return catalogue.skipped("loudness_range", why)
    message = f"Quiet and loud parts lie {found.range_lu:.1f} LU apart."
    return catalogue.measured("loudness_range", found.range_lu, message, digits=1)


def true_peak(catalogue: Catalogue, found: Loudness, limit_dbtp: float) -> QACheck:
    if found.true_peak_dbtp is None:
        return catalogue.skipped("true_peak", "Nothing is heard.")
    message = f"{found.true_peak_dbtp:.1f} dBTP after decoding; the limit is {limit_dbtp:g} dBTP."
    return catalogue.measured("true_peak", found.true_peak_dbtp, message, digits=1)


def content(catalogue: Catalogue, comparison: Comparison) -> QACheck:
    share = comparison.same_share
    if share is None:
        return catalogue.skipped("audio_content", "There is no second with sound both here and in the recording.")
    other = [window.span for window in comparison.windows if window.correlation < SAME_FROM]
    message = f"{share:.0%} of the seconds with sound were recognised as the recording's."
    return catalogue.measured("audio_content", share, message, evidence=_joined(other))


def shift(catalogue: Catalogue, comparison: Comparison, offset_seconds: float) -> QACheck:
    """``offset_seconds``: how long after the file's beginning its first sample is heard."""
    found = comparison.shift_seconds
    if found is None:
        return catalogue.skipped("audio_shift", "The recording was not recognised in the sound.")
    late_ms = (found + offset_seconds) * 1000
    check = catalogue.measured("audio_shift", late_ms, _shift_message(late_ms), digits=0)
    if check.status == "pass":
        return check
    moved = [
        window.span
        for window in comparison.windows
        if window.correlation >= TIMED_FROM and abs(window.shift_seconds - found) < 0.02
    ]
    return check.model_copy(update={"evidence": _joined(moved)})


def _shift_message(late_ms: float) -> str:
    if abs(late_ms) < 1:
        return "The sound stands where it stands in the recording."
    return f"The sound comes {abs(late_ms):.0f} ms {'later' if late_ms > 0 else 'earlier'} than in the recording."


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Overlapping spans, in order of time, become one."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_seconds <= joined[-1].end_seconds_exclusive:
            end = max(joined[-1].end_seconds_exclusive, span.end_seconds_exclusive)
            joined[-1] = Span(start_seconds=joined[-1].start_seconds, end_seconds_exclusive=end)
        else:
            joined.append(span)
    return tuple(joined)
