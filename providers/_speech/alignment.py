"""Forced alignment: a known English text placed on the sound that says it, word by word and phone by phone.

Not here: guessing words (``recognise``), or what to do when text and sound do not fit (the provider decides).

Long audio is taken in windows. In each, the best unfinished path through the text tells how far the text gets; the
window is cut at a pause well before its end, and exactly those words are then aligned to exactly that sound. Where
the two differ, only the words that are really said are placed. Memory stays that of a few windows, whatever the length:
while some are aligned exactly, the next are looked ahead at, as if those will fit; where one does not, it is done anew.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from contracts.artifacts import Span
from contracts.script import Phone, Word
from providers._media.sound_on_disk import AnySound
from providers._speech.copies import Copies
from providers._speech.decoding import SAMPLE_RATE_HZ, Recogniser, word_follower
from providers._speech.phones import SIL, allphone, covered
from providers._speech.placement import MIN_UNWRITTEN_FRAMES, Placed, Placement, Placer, frame, seconds, unheard
from providers._speech.pronunciation import phones_of
from providers._speech.text import spoken, tokens

WINDOW_SECONDS = 30.0
_WORDS_PER_SECOND = 6  # faster than anybody reads
_KEEP = (0.5, 0.85)  # part of a window's words among which it is cut; what is near its end is unsure
_MIN_PAUSE_FRAMES = 8
_MAX_LOST_WINDOWS = 3  # in a row without a word of the text; then text and sound have parted


class NotAligned(Exception):
    """Text and sound do not fit; the message says why."""


@dataclass(frozen=True)
class Alignment:
    """A text placed on sound."""

    words: tuple[Word, ...]
    """One per token of the text, in order; confidence 0 for what was not heard."""
    phones: tuple[Phone, ...]
    """Over the whole audio; heard by ear (``allphone``) where something is said that is not in the text."""
    confidence: float
    """0..1: of the words, weighted by length."""
    unwritten: tuple[Span, ...]
    """Where something is said that is not in the text."""


def align(
    samples: AnySound, text: str, *, min_confidence: float = 0.0, progress: Callable[[float], None] | None = None
) -> Alignment:
    """Place every token of ``text`` on the sound.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
        text: English; other words in it are placed between their neighbours.
        min_confidence: a text that fits less is refused; one that does not fit at all reaches 0.3 by chance.
        progress: told the seconds done so far.

    Raises:
        NotAligned: nothing in the text can be said, or it fits too little.
    """
    written = [token.text for token in tokens(text)]
    said = [spoken(word) for word in written]
    scout = word_follower()
    known = pronunciations((word for words in said for word in words), scout)
    said = [[word for word in words if word in known] for words in said]
    if not any(said):
        raise NotAligned("the text holds no word that can be read as English")
    placement = _Walk(samples, scout, known).run([word for words in said for word in words], progress)
    del scout  # decoders are large, and hearing phones by ear needs another one
    duration = round(samples.size / SAMPLE_RATE_HZ, 3)
    words = _written_words(written, said, placement.words, duration)
    if (confidence := _confidence(words)) < min_confidence:
        raise NotAligned(f"text and sound agree to {confidence:.2f} of 1")
    unwritten = tuple(
        Span(start_seconds=seconds(start), end_seconds_exclusive=seconds(end))
        for start, end in sorted(placement.unwritten)
    )
    phones = placement.phones + [phone for phone in allphone(samples, unwritten) if phone.symbol != SIL]
    phones.sort(key=lambda phone: phone.start_seconds)
    return Alignment(words, covered(phones, duration), confidence, unwritten)


def pronunciations(words: Iterable[str], dictionary: Recogniser) -> dict[str, str]:
    """Of the words that can be said, phones as the recogniser takes them."""
    found = {word: phones_of(word, dictionary.lookup) for word in sorted(set(words))}
    return {word: phones for word, phones in found.items() if phones is not None}


class _Window(NamedTuple):
    """What a look ahead found: the next ``word_count`` words lie between the frames ``first`` and ``reached``."""

    first: int
    word_count: int
    reached: int
    is_last: bool
    exact: Future[Placement] | None
    """None where no word was found."""


class _Walk:
    """Through the sound, window by window, with the text in hand."""

    def __init__(self, samples: AnySound, scout: Recogniser, pronunciations: dict[str, str]) -> None:
        self._end = frame(samples.size / SAMPLE_RATE_HZ)
        self._placer = Placer(samples, pronunciations)
        self._scout = scout
        for word, phones in pronunciations.items():
            scout.teach(word, phones)

    def run(self, words: Sequence[str], progress: Callable[[float], None] | None) -> Placement:
        done = Placement()
        at = lost = 0
        windows: deque[_Window] = deque()
        with Copies(self._placer, self._end // frame(WINDOW_SECONDS) + 1) as copies:
            while len(done.words) < len(words) and at < self._end and lost < _MAX_LOST_WINDOWS:
                rest = words[len(done.words) :]
                self._look_ahead(windows, copies, rest, at)
                window = windows.popleft()
                step, reached = self._step(rest, window)
                if (len(step.words), reached) != (window.word_count, window.reached):
                    _drop(windows)  # they were looked at from the wrong place
                lost = 0 if step.words else lost + 1
                done.add(step)
                at = reached
                if progress is not None:
                    progress(seconds(at))
        done.words += unheard(len(words) - len(done.words), at, self._end)
        if self._end - at >= MIN_UNWRITTEN_FRAMES:
            done.unwritten.append((at, self._end))
        return done

    def _look_ahead(self, windows: deque[_Window], copies: Copies, rest: Sequence[str], at: int) -> None:
        """Fill ``windows``, which begin at the frame ``at`` with the first word of ``rest``."""
        ahead = sum(window.word_count for window in windows)
        while len(windows) < copies.ahead:
            if windows:
                at = windows[-1].reached
                if not windows[-1].word_count or ahead >= len(rest) or at >= self._end:
                    return
            is_last = self._end - at <= frame(WINDOW_SECONDS)
            count, reached = (len(rest) - ahead, self._end) if is_last else self._how_far(rest[ahead:], at)
            exact = copies.exactly(rest[ahead : ahead + count], at, reached) if count else None
            windows.append(_Window(at, count, reached, is_last, exact))
            ahead += count

    def _step(self, rest: Sequence[str], window: _Window) -> tuple[Placement, int]:
        """The words of one window, and the frame to go on from."""
        at, is_last = window.first, window.is_last
        exact = window.exact.result() if window.exact else None
        if exact is not None and not exact.is_poor:
            return exact, window.reached
        end = min(self._end, at + frame(WINDOW_SECONDS))
        rough, reached = self._placer.roughly(_ahead(rest), at, end, is_last=is_last)
        if is_last:
            rough.words += unheard(len(rest) - len(rough.words), reached, reached)
            return _surer(rough, exact), self._end
        if rough.is_lost:  # the text waits
            reached = at + int(_KEEP[1] * (end - at))
            return Placement(unwritten=[(at, reached)]), reached
        return rough, reached

    def _how_far(self, rest: Sequence[str], first: int) -> tuple[int, int]:
        """How many words surely lie in the window, and the frame of the pause after them."""
        self._scout.expect(_ahead(rest))
        window = self._placer.sound(first, first + frame(WINDOW_SECONDS))
        found = [word for word in self._scout.hear_partly(window) if not word.is_filler]
        if not found:
            return 0, first
        low, high = (max(1, int(len(found) * part)) for part in _KEEP)
        pauses = [(found[i].start - found[i - 1].end, i) for i in range(low, min(high + 1, len(found)))]
        length, keep = max(pauses, default=(0, len(found)))
        keep = keep if length >= _MIN_PAUSE_FRAMES else min(high, len(found))
        after = found[keep].start if keep < len(found) else found[-1].end
        return keep, first + (found[keep - 1].end + after) // 2


def _drop(windows: deque[_Window]) -> None:
    while windows:
        if (exact := windows.pop().exact) is not None:
            exact.cancel()


def _ahead(rest: Sequence[str]) -> Sequence[str]:
    return rest[: int(WINDOW_SECONDS * _WORDS_PER_SECOND)]


def _surer(rough: Placement, exact: Placement | None) -> Placement:
    if exact is None or sum(word.confidence for word in rough.words) >= sum(word.confidence for word in exact.words):
        return rough
    return exact


def _written_words(
    written: Sequence[str], said: Sequence[Sequence[str]], placed: Sequence[Placed], duration: float
) -> tuple[Word, ...]:
    """Back from spoken words to written ones; an unspoken one fills the gap between its neighbours."""
    words: list[Word] = []
    at = before = 0
    for text, parts in zip(written, said, strict=True):
        mine = placed[at : at + len(parts)]
        at += len(parts)
        start = mine[0].start if mine else before
        before = mine[-1].end if mine else (placed[at].start if at < len(placed) else before)
        frames = sum(part.end - part.start for part in mine)
        confidence = sum(part.confidence * (part.end - part.start) for part in mine) / max(1, frames)
        words.append(
            Word(
                text=text,
                start_seconds=min(seconds(start), duration),
                end_seconds_exclusive=min(seconds(max(start, before)), duration),
                confidence=round(confidence, 3),
            )
        )
    return tuple(words)


def _confidence(words: Sequence[Word]) -> float:
    """Mean over the words that could be placed, by their length in letters."""
    letters = sum(len(word.text) for word in words)
    return round(sum(word.confidence * len(word.text) for word in words) / max(1, letters), 3)
