"""Captions as SubRip text against the video's length: order, overlap, size."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from contracts.artifacts import Span
from contracts.qa import QACheck
from providers.qa._signal_catalogue import Catalogue

LINE_CHARACTERS, LINES = 42, 2  # the house rule for captions; a little wider than the BBC's 37 on screens
END_SLACK_SECONDS = 0.05  # about a frame: the last caption may end with the last frame
_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{3})")


class Cue(NamedTuple):
    """Seconds."""

    start: float
    end: float
    text: str


class Fault(NamedTuple):
    number: int
    what: str
    span: Span
    is_timing: bool


def captions(catalogue: Catalogue, subrip: str | None, duration_seconds: float) -> QACheck:
    """Wrong times can fail; text that is too long for its place only warns."""
    if subrip is None:
        return catalogue.skipped("captions", "There are no captions.")
    cues = cues_of(subrip)
    if not cues:
        return catalogue.skipped("captions", "The caption file holds no captions.")
    faults = _faults(cues, duration_seconds)
    if not faults:
        return catalogue.measured("captions", 0, f"{len(cues)} captions, in order and inside.", digits=0)
    message = "; ".join(f"caption {fault.number} {fault.what}" for fault in faults[:5]).capitalize() + "."
    return catalogue.measured(
        "captions",
        len({fault.number for fault in faults}),
        message,
        evidence=[fault.span for fault in faults],
        digits=0,
        at_worst="fail" if any(fault.is_timing for fault in faults) else "warn",
    )


def _faults(cues: list[Cue], duration_seconds: float) -> list[Fault]:
    faults: list[Fault] = []
    previous_end = 0.0
    for number, cue in enumerate(cues, 1):
        span = Span(start_seconds=cue.start, end_seconds_exclusive=max(cue.start, cue.end))
        found = [*_timing_faults(cue, previous_end, duration_seconds), *_size_faults(cue)]
        faults.extend(Fault(number, what, span, is_timing) for what, is_timing in found)
        previous_end = max(previous_end, cue.end)
    return faults


def _timing_faults(cue: Cue, previous_end: float, duration_seconds: float) -> Iterator[tuple[str, bool]]:
    if cue.end <= cue.start:
        yield f"ends at {cue.end:.2f} s, not after its start", True
    if cue.start < previous_end:
        yield "overlaps the one before", True
    if cue.end > duration_seconds + END_SLACK_SECONDS:
        yield f"ends at {cue.end:.2f} s, after the video ({duration_seconds:.2f} s)", True


def _size_faults(cue: Cue) -> Iterator[tuple[str, bool]]:
    lines = cue.text.splitlines()
    if len(lines) > LINES:
        yield f"has {len(lines)} lines, at most {LINES} fit", False
    if any(len(line) > LINE_CHARACTERS for line in lines):
        yield f"has a line longer than {LINE_CHARACTERS} characters", False


def cues_of(subrip: str) -> list[Cue]:
    """The captions of a SubRip file, in its order."""
    blocks = re.split(r"\r?\n\s*\r?\n", subrip.strip("\ufeff \r\n"))
    found = [(block, _TIMES.search(block)) for block in blocks]
    return [
        Cue(_seconds(times.groups()[:4]), _seconds(times.groups()[4:]), block[times.end() :].strip())
        for block, times in found
        if times
    ]


def _seconds(clock: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in clock)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
