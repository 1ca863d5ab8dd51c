"""Forced alignment: a known English text placed on the sound that says it, word by word and phone by phone.

Not here: guessing words (``recognise``), or what to do when text and sound do not fit (the provider decides).

Long audio is taken in windows. In each, the best unfinished path through the text tells how far the text gets; the
window is cut at a pause well before its end, and exactly those words are then aligned to exactly that sound. Memory
stays that of one window, whatever the length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.artifacts import Span
from contracts.script import Phone, Word
from providers._speech.decoding import (
    FRAME_SECONDS,
    SAMPLE_RATE_HZ,
    Samples,
    Segment,
    cut,
    listening_gain,
    word_follower,
)
from providers._speech.phones import SIL, allphone, covered, phone_symbol
from providers._speech.pronunciation import phones_of
from providers._speech.spreading import spread
from providers._speech.text import spoken, tokens

WINDOW_SECONDS = 30.0
_WORDS_PER_SECOND = 6  # faster than anybody reads
_KEEP = (0.5, 0.85)  # part of a window's words among which it is cut; what is near its end is unsure
_MIN_PAUSE_FRAMES = 8

# Acoustic cost per frame, over all senones. Measured on clean and on noisy English: the right text 31-45 (single
# words to 72), a wrong one 58-115; silence that is silence 11-40, silence put over speech 61-123.
_COST_CERTAIN = 40.0
_COST_WRONG = 90.0
_COST_NOT_SILENCE = 60.0
_MIN_UNHEARD_FRAMES = 30


class NotAligned(Exception):
    """Text and sound do not fit; the message says why."""


@dataclass(frozen=True)
class Alignment:
    """A text placed on sound."""

    words: tuple[Word, ...]
    """One per token of the text, in order."""
    phones: tuple[Phone, ...]
    """Over the whole audio; heard by ear (``allphone``) where somebody says what is not in the text."""
    confidence: float
    """0..1: how well the sound supports the words, over all their frames."""
    unwritten: tuple[Span, ...]
    """Where something is said that is not in the text."""


@dataclass(frozen=True)
class _Placed:
    """One spoken word: frames from the audio's start, and its acoustic cost per frame."""

    start: int
    end: int
    cost: float


def align(samples: Samples, text: str, *, progress: Callable[[float], None] | None = None) -> Alignment:
    """Place every token of ``text`` on the sound.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
        text: English; other words in it are placed between their neighbours.
        progress: told the seconds done so far.

    Raises:
        NotAligned: nothing in the text can be said. A text that does not fit is placed all the same, with a
            confidence near 0.
    """
    written = [token.text for token in tokens(text)]
    said = [spoken(word) for word in written]
    walk = _Walk(samples)
    known = walk.teach({word for words in said for word in words})
    said = [[word for word in words if word in known] for words in said]
    if not any(said):
        raise NotAligned("the text holds no word that can be read as English")
    walk.run([word for words in said for word in words], progress)
    duration = round(samples.size / SAMPLE_RATE_HZ, 3)
    unwritten = tuple(walk.unwritten)
    phones = walk.phones + [phone for phone in allphone(samples, unwritten) if phone.symbol != SIL]
    phones.sort(key=lambda phone: phone.start_seconds)
    words = _words(written, said, walk.placed, duration)
    return Alignment(words, covered(phones, duration), _confidence(walk.cost_per_frame), unwritten)


class _Walk:
    """Through the sound, window by window, with the text in hand."""

    def __init__(self, samples: Samples) -> None:
        self.placed: list[_Placed] = []
        self.phones: list[Phone] = []
        self.unwritten: list[Span] = []
        self._samples = samples
        self._gain = listening_gain(samples)
        self._scout = word_follower()
        self._aligner = word_follower(scores_all_senones=True)

    @property
    def cost_per_frame(self) -> float:
        frames = sum(word.end - word.start for word in self.placed)
        return sum(word.cost * (word.end - word.start) for word in self.placed) / max(1, frames)

    def teach(self, words: set[str]) -> set[str]:
        """Add missing words to the dictionaries; returns those that can be said."""
        found = {word: phones_of(word, self._aligner.lookup) for word in sorted(words)}
        known = {word: phones for word, phones in found.items() if phones is not None}
        for word, phones in known.items():
            self._scout.teach(word, phones)
            self._aligner.teach(word, phones)
        return set(known)

    def run(self, words: Sequence[str], progress: Callable[[float], None] | None) -> None:
        at, end = 0, _frame(self._samples.size / SAMPLE_RATE_HZ)
        while len(self.placed) < len(words):
            rest = words[len(self.placed) :]
            if end - at <= _frame(WINDOW_SECONDS):
                self._place(rest, at, end)
                at = end
                break
            count, reached = self._how_far(rest, at)
            if count:
                self._place(rest[:count], at, reached)
            at = reached
            if progress is not None:
                progress(_seconds(at))
        if end - at >= _MIN_UNHEARD_FRAMES:
            self.unwritten.append(_span(at, end))

    def _sound(self, first: int, end: int) -> Samples:
        return cut(self._samples, _seconds(first), _seconds(end), self._gain)

    def _how_far(self, rest: Sequence[str], first: int) -> tuple[int, int]:
        """How many words surely lie in the window, and the frame of the pause after them."""
        self._scout.expect(rest[: int(WINDOW_SECONDS * _WORDS_PER_SECOND)])
        window = self._sound(first, first + _frame(WINDOW_SECONDS))
        found = [word for word in self._scout.hear_partly(window) if not word.is_filler]
        if not found:
            return 0, first + int(_KEEP[1] * _frame(WINDOW_SECONDS))
        low, high = (max(1, int(len(found) * part)) for part in _KEEP)
        pauses = [(found[i].start - found[i - 1].end, i) for i in range(low, min(high + 1, len(found)))]
        length, keep = max(pauses, default=(0, len(found)))
        keep = keep if length >= _MIN_PAUSE_FRAMES else min(high, len(found))
        after = found[keep].start if keep < len(found) else found[-1].end
        return keep, first + (found[keep - 1].end + after) // 2

    def _place(self, words: Sequence[str], first: int, end: int) -> None:
        """Align exactly these words to exactly these frames; where that fails they are spread over them."""
        self._aligner.expect(words)
        heard = self._aligner.hear_inside(self._sound(first, end))
        if not heard:
            parts = spread(words, [_span(first, end)])
            self.placed += [
                _Placed(_frame(part.start_seconds), _frame(part.end_seconds_exclusive), _COST_WRONG) for part in parts
            ]
            self.unwritten.append(_span(first, end))
        for segment in heard:
            cost, length = _cost_per_frame(segment), segment.end - segment.start
            if not segment.is_filler:
                self.placed.append(_Placed(first + segment.start, first + segment.end, cost))
                self.phones += [_phone(phone, first) for phone in segment.phones]
            elif cost > _COST_NOT_SILENCE and length >= _MIN_UNHEARD_FRAMES:
                self.unwritten.append(_span(first + segment.start, first + segment.end))


def _frame(seconds: float) -> int:
    return int(seconds / FRAME_SECONDS + 1e-6)


def _seconds(frame: int) -> float:
    return round(frame * FRAME_SECONDS, 3)


def _span(first: int, end: int) -> Span:
    return Span(start_seconds=_seconds(first), end_seconds_exclusive=_seconds(end))


def _phone(phone: Segment, first: int) -> Phone:
    return Phone(
        symbol=phone_symbol(phone.name),
        start_seconds=_seconds(first + phone.start),
        end_seconds_exclusive=_seconds(first + phone.end),
        confidence=_confidence(_cost_per_frame(phone)),
    )


def _cost_per_frame(segment: Segment) -> float:
    return segment.cost / max(1, segment.end - segment.start)


def _confidence(cost: float) -> float:
    return round(min(1.0, max(0.0, (_COST_WRONG - cost) / (_COST_WRONG - _COST_CERTAIN))), 3)


def _words(
    written: Sequence[str], said: Sequence[Sequence[str]], placed: Sequence[_Placed], duration: float
) -> tuple[Word, ...]:
    """Back from spoken words to written ones; an unspoken one fills the gap between its neighbours."""
    words: list[Word] = []
    at = 0
    for text, parts in zip(written, said, strict=True):
        mine = placed[at : at + len(parts)]
        at += len(parts)
        before = placed[at - len(parts) - 1].end if at > len(parts) else 0
        start = mine[0].start if mine else before
        end = mine[-1].end if mine else (placed[at].start if at < len(placed) else before)
        words.append(
            Word(
                text=text,
                start_seconds=min(_seconds(start), duration),
                end_seconds_exclusive=min(_seconds(max(start, end)), duration),
                confidence=_word_confidence(mine),
            )
        )
    return tuple(words)


def _word_confidence(parts: Sequence[_Placed]) -> float:
    if not parts:
        return 0.0
    frames = sum(part.end - part.start for part in parts)
    return _confidence(sum(part.cost * (part.end - part.start) for part in parts) / max(1, frames))
