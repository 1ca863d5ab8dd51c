"""English words guessed from sound by the embedded recogniser. About one in four is wrong on clean speech.

Not here: words that a person wrote (``alignment``).
"""

import re
from collections.abc import Callable, Sequence

from contracts.artifacts import Span
from contracts.script import Word
from providers._media.sound_on_disk import AnySound
from providers._speech.decoding import FRAME_SECONDS, Recogniser, cut, listening_gain, word_guesser
from providers._speech.voice_activity import speech_pieces, speech_spans

MAX_CONFIDENCE = 0.6  # the recogniser is sure of itself even where it errs: word error rate 18-28 % on clean reading
_MIN_PIECE_SECONDS = 0.1
_PAUSE_SECONDS = 0.6
_MAX_LINE_WORDS = 16
_SPELLING = {"i": "I", "mr": "Mr.", "mrs": "Mrs.", "dr": "Dr."}


def recognise(
    samples: AnySound,
    spans: tuple[Span, ...] | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> tuple[Word, ...]:
    """Words in order, each with at most ``MAX_CONFIDENCE``; none where nobody speaks.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
        spans: where somebody speaks, when known.
        progress: told the seconds heard so far.
    """
    spans = speech_spans(samples) if spans is None else spans
    gain = listening_gain(samples)
    guesser = word_guesser()
    words: list[Word] = []
    for piece in speech_pieces(samples, spans):
        if piece.duration_seconds >= _MIN_PIECE_SECONDS:
            words += _recognised(guesser, samples, piece, gain)
        if progress is not None:
            progress(piece.end_seconds_exclusive)
    return tuple(words)


def _recognised(guesser: Recogniser, samples: AnySound, piece: Span, gain: float) -> list[Word]:
    last = piece.end_seconds_exclusive
    return [
        Word(
            text=_written(segment.name),
            start_seconds=round(piece.start_seconds + segment.start * FRAME_SECONDS, 3),
            end_seconds_exclusive=round(min(last, piece.start_seconds + segment.end * FRAME_SECONDS), 3),
            confidence=round(MAX_CONFIDENCE * min(1.0, max(0.0, segment.probability)), 3),
        )
        for segment in guesser.hear(cut(samples, piece.start_seconds, last, gain))
        if not segment.is_filler
    ]


def _written(name: str) -> str:
    """A dictionary entry as a reader expects it: without the number of its variant."""
    word = re.sub(r"\(\d+\)$", "", name)
    return _SPELLING.get(word, re.sub(r"^i'", "I'", word))


def lines_by_pause(words: Sequence[Word]) -> tuple[range, ...]:
    """Ranges of word indices: a new line after a pause, and before a line grows too long."""
    ranges: list[range] = []
    first = 0
    for index in range(1, len(words) + 1):
        ends = index == len(words)
        if ends or _pause(words, index) >= _PAUSE_SECONDS or index - first >= _MAX_LINE_WORDS:
            ranges.append(range(first, index))
            first = index
    return tuple(ranges)


def _pause(words: Sequence[Word], index: int) -> float:
    return words[index].start_seconds - words[index - 1].end_seconds_exclusive
