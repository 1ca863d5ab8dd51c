"""Whether words whose places are known are said at those places in another sound: forced alignment, run by run.

A tenth of the time that placing a text takes (``alignment``), since nothing has to be searched for.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contracts.artifacts import Span
from contracts.script import Line, Word
from providers._media.sound_on_disk import AnySound
from providers._speech.alignment import pronunciations
from providers._speech.decoding import FRAME_SECONDS, Recogniser, Samples, cut, listening_gain, word_follower
from providers._speech.text import spoken

MARGIN_SECONDS = 0.3  # of sound around a run: words that moved by more are elsewhere

WordPlace = tuple[int, int]
"""(line, word of it)."""


class _Run(NamedTuple):
    """Words that follow one another and that were all heard before."""

    places: list[WordPlace]
    start_seconds: float
    end_seconds: float


def starts_heard(samples: AnySound, lines: Sequence[Line], shift_seconds: float) -> dict[WordPlace, float | None]:
    """Where each word is said that was heard before (confidence above 0): seconds; None where it is not.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
        lines: English; words that nobody could say are left out.
        shift_seconds: how much later the sound is expected than the lines say.
    """
    follower, dictionary = word_follower(), word_follower()
    known = pronunciations((part for line in lines for word in line.words for part in spoken(word.text)), dictionary)
    for word, phones in known.items():
        follower.teach(word, phones)
    gain = listening_gain(samples)
    runs = list(_runs(lines, known))
    found: dict[WordPlace, float | None] = {}
    for run, window in zip(runs, _windows(runs), strict=True):
        start = max(0.0, window.start_seconds + shift_seconds)
        sound = cut(samples, start, max(start, window.end_seconds_exclusive + shift_seconds), gain)
        parts = [(place, part) for place in run.places for part in spoken(lines[place[0]].words[place[1]].text)]
        starts = _starts(follower, sound, [part for _, part in parts])
        for at, (place, _) in enumerate(parts):
            found.setdefault(place, start + starts[at] if starts else None)
    return found


def _runs(lines: Sequence[Line], known: dict[str, str]) -> Iterator[_Run]:
    for number, line in enumerate(lines):
        run: list[int] = []
        for place, word in enumerate([*line.words, None]):
            if word is not None and _is_heard(word, known):
                run.append(place)
            elif run:
                first, last = line.words[run[0]], line.words[run[-1]]
                yield _Run([(number, at) for at in run], first.start_seconds, last.end_seconds_exclusive)
                run = []


def _is_heard(word: Word, known: dict[str, str]) -> bool:
    parts = spoken(word.text)
    return word.confidence > 0 and bool(parts) and all(part in known for part in parts)


def _windows(runs: Sequence[_Run]) -> list[Span]:
    """Each run with some sound around it, but nothing of its neighbours."""
    before = [0.0, *(run.end_seconds for run in runs[:-1])]
    after = [*(run.start_seconds for run in runs[1:]), float("inf")]
    return [
        Span(
            start_seconds=max(0.0, run.start_seconds - min(MARGIN_SECONDS, max(0.0, run.start_seconds - earlier) / 2)),
            end_seconds_exclusive=run.end_seconds + min(MARGIN_SECONDS, max(0.0, later - run.end_seconds) / 2),
        )
        for run, earlier, later in zip(runs, before, after, strict=True)
    ]


def _starts(follower: Recogniser, sound: Samples, parts: Sequence[str]) -> list[float]:
    """Of each part, in seconds; none where they do not fit the sound."""
    if not sound.size:
        return []
    follower.expect(parts)
    heard = [segment for segment in follower.hear(sound) if not segment.is_filler]
    return [segment.start * FRAME_SECONDS for segment in heard] if len(heard) == len(parts) else []
