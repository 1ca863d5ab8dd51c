"""Lines of a script as captions: SubRip and WebVTT. Not here: showing them.

At most two lines of 42 characters, broken where a reader pauses; cues follow the words' times, never overlap and end
with the sound. Text is shown as it was written: markup in it is made harmless, not obeyed.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pysubs2

from contracts.script import Line, Word
from providers._speech.text import ends_phrase

MAX_LINE_CHARS = 42
MAX_LINES = 2
MIN_CUE_MS = 1000
MAX_CUE_MS = 7000
_PAUSE_SECONDS = 0.7  # a silence that ends a cue
_LINGER_MS = 300  # a cue may stay this long after its last word
_WORD_JOINER = "\u2060"  # no width, no break; parsers see it and leave what follows alone


@dataclass(frozen=True)
class Cue:
    """One caption; ``lines`` are plain text, each at most ``MAX_LINE_CHARS`` characters."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """A word as it is set: the text between it and the one before, and its time."""

    gap: str
    text: str
    start_seconds: float
    end_seconds: float


def make_cues(lines: Sequence[Line], duration_seconds: float) -> tuple[Cue, ...]:
    """Captions for the lines of a script, in order."""
    groups = [group for line in lines for group in _groups(list(_pieces(line)))]
    cues = [
        Cue(
            start_ms=round(group[0].start_seconds * 1000),
            end_ms=round(group[-1].end_seconds * 1000),
            lines=_set(group),
        )
        for group in _merged(groups)
    ]
    return tuple(_timed(cues, round(duration_seconds * 1000)))


def to_srt(cues: Iterable[Cue]) -> bytes:
    """SubRip, UTF-8."""
    return _written(cues, "srt", _literal_srt)


def to_vtt(cues: Iterable[Cue]) -> bytes:
    """WebVTT, UTF-8."""
    return _written(cues, "vtt", _literal_vtt)


def _pieces(line: Line) -> Iterator[_Piece]:
    """The line's words with the text between them; words too long for a caption line are cut."""
    at = 0
    for word in line.words or (_whole(line),):
        found = line.text.find(word.text, at)
        gap = line.text[at:found] if found >= 0 else " "
        at = found + len(word.text) if found >= 0 else at
        width = MAX_LINE_CHARS if _literal_srt(word.text) == word.text else MAX_LINE_CHARS // 2
        for index in range(0, len(word.text), width):
            text = word.text[index : index + width]
            yield _Piece("" if index else gap, text, word.start_seconds, word.end_seconds_exclusive)


def _whole(line: Line) -> Word:
    return Word(text=line.text, start_seconds=line.start_seconds, end_seconds_exclusive=line.end_seconds_exclusive)


def _groups(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces cut into what one cue can show, at the best place: a long pause, a phrase's end, the middle."""
    if not pieces:
        return
    if _fits(pieces) and not _long_pause(pieces):
        yield pieces
        return
    cut = max(range(1, len(pieces)), key=lambda index: _cut_merit(pieces, index), default=0)
    if cut == 0:
        yield pieces
        return
    yield from _groups(pieces[:cut])
    yield from _groups(pieces[cut:])


def _fits(pieces: Sequence[_Piece]) -> bool:
    long = pieces[-1].end_seconds - pieces[0].start_seconds > MAX_CUE_MS / 1000 and len(pieces) > 1
    return not long and len(_wrapped(pieces)) <= MAX_LINES


def _long_pause(pieces: Sequence[_Piece]) -> bool:
    return any(_pause(pieces, index) >= _PAUSE_SECONDS for index in range(1, len(pieces)))


def _pause(pieces: Sequence[_Piece], index: int) -> float:
    return pieces[index].start_seconds - pieces[index - 1].end_seconds


def _cut_merit(pieces: Sequence[_Piece], index: int) -> float:
    """Larger is a better place to end a cue; a long pause beats a phrase's end, that beats evenness."""
    before, after = _text(pieces[:index]), _text(pieces[index:])
    evenness = min(len(before), len(after)) / max(len(before), len(after), 1)
    pause = _pause(pieces, index)
    return (
        evenness
        + (0.6 if ends_phrase(pieces[index - 1].text) else 0.0)
        + (2.0 + pause if pause >= _PAUSE_SECONDS else 0)
    )


def _text(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.gap + piece.text for piece in pieces).strip()


def _width(pieces: Sequence[_Piece]) -> int:
    """Characters as written to a file: what makes markup harmless counts."""
    return len(_literal_srt(_text(pieces)))


def _wrapped(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Greedy lines: as few as there can be."""
    lines: list[list[_Piece]] = []
    for piece in pieces:
        if lines and _width([*lines[-1], piece]) <= MAX_LINE_CHARS:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return lines


def _set(pieces: Sequence[_Piece]) -> tuple[str, ...]:
    """One line if it fits, else two: broken after a phrase where possible, else evenly."""
    if _width(pieces) <= MAX_LINE_CHARS:
        return (_text(pieces),)
    cuts = [
        index
        for index in range(1, len(pieces))
        if max(_width(pieces[:index]), _width(pieces[index:])) <= MAX_LINE_CHARS
    ]
    if not cuts:
        return tuple(_text(line) for line in _wrapped(pieces))
    cut = max(cuts, key=lambda index: _cut_merit(pieces, index))
    return (_text(pieces[:cut]), _text(pieces[cut:]))


def _merged(groups: Sequence[list[_Piece]]) -> list[list[_Piece]]:
    """A cue too short to read joins its neighbour when both fit in one."""
    merged: list[list[_Piece]] = []
    for group in groups:
        if merged and min(_seconds(merged[-1]), _seconds(group)) < MIN_CUE_MS / 1000:
            joined = [*merged[-1], replace(group[0], gap=group[0].gap or " "), *group[1:]]
            if _fits(joined) and not _long_pause(joined):
                merged[-1] = joined
                continue
        merged.append(group)
    return merged


def _seconds(group: Sequence[_Piece]) -> float:
    return group[-1].end_seconds - group[0].start_seconds


def _timed(cues: Sequence[Cue], duration_ms: int) -> Iterator[Cue]:
    """Cues long enough to read where the next one leaves room; in order, apart, inside the sound."""
    at = 0
    for index, cue in enumerate(cues):
        start = min(max(cue.start_ms, at), duration_ms)
        limit = min(max(cues[index + 1].start_ms, start), duration_ms) if index + 1 < len(cues) else duration_ms
        wanted = max(cue.end_ms + _LINGER_MS, start + MIN_CUE_MS)
        end = min(wanted, start + MAX_CUE_MS, max(limit, min(cue.end_ms, duration_ms)))
        if end > start:
            yield Cue(start, end, cue.lines)
            at = end


def _written(cues: Iterable[Cue], kind: str, literal: Callable[[str], str]) -> bytes:
    subtitles = pysubs2.SSAFile()
    for cue in cues:
        text = "\n".join(literal(line) for line in cue.lines)
        subtitles.append(pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=text))
    return subtitles.to_string(kind, keep_ssa_tags=True).encode()


def _literal_srt(text: str) -> str:
    """SubRip has no escapes: a word joiner keeps ``<b>``, ``{\\an8}``, ``\\N`` and ``-->`` from being read as such."""
    return re.sub(r"(<(?=[\w/])|\{|\\|--(?=>))", lambda match: match[0] + _WORD_JOINER, text)


def _literal_vtt(text: str) -> str:
    """WebVTT has character references; braces and backslashes mean something only to other readers of it."""
    return html.escape(re.sub(r"[{\\]", lambda match: match[0] + _WORD_JOINER, text), quote=False)
