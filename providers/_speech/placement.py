"""Words placed on one window of sound: exactly these words, or those of them that are really said.

Not here: walking through long audio, going back from spoken to written words (``alignment``). Frames count from the
audio's start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.artifacts import Span
from contracts.script import Phone
from providers._media.sound_on_disk import AnySound
from providers._speech.decoding import (
    FRAME_SECONDS,
    Recogniser,
    Samples,
    Segment,
    cut,
    listening_gain,
    word_follower,
)
from providers._speech.phones import phone_symbol
from providers._speech.spreading import spread
from providers._speech.tolerance import Found, TolerantEar

# Acoustic cost per frame, over all senones. Measured on clean and on noisy English: the right text 31-45 (single
# words to 72), a wrong one 58-115; silence that is silence 11-40, silence put over speech 61-123.
_COST_CERTAIN = 40.0
_COST_WRONG = 90.0
_COST_NOT_SILENCE = 60.0
MIN_UNWRITTEN_FRAMES = 30
_POOR_WORDS = 2
_POOR_UNWRITTEN_FRAMES = 100
_LOST_BELOW = 0.35  # mean confidence; a wrong text reaches 0.3 by chance
_SURE_PART = 0.85  # of a window; what comes after may be cut words
_SURE_WORDS = 3  # in a row


@dataclass(frozen=True)
class Placed:
    """One spoken word and how sure that is."""

    start: int
    end: int
    confidence: float


@dataclass
class Placement:
    """Consecutive words of a text, placed; one ``Placed`` per word."""

    words: list[Placed] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    unwritten: list[tuple[int, int]] = field(default_factory=list)
    """Frames in which something else is said."""

    @property
    def is_poor(self) -> bool:
        """Text and sound seem to differ."""
        wrong = sum(word.confidence == 0 for word in self.words)
        unwritten = sum(end - start for start, end in self.unwritten)
        return wrong >= min(_POOR_WORDS, len(self.words)) or unwritten >= _POOR_UNWRITTEN_FRAMES

    @property
    def is_lost(self) -> bool:
        """Hardly a word of the text is said here."""
        return sum(word.confidence for word in self.words) < _LOST_BELOW * max(1, len(self.words))

    def add(self, other: "Placement") -> None:
        self.words += other.words
        self.phones += other.phones
        self.unwritten += other.unwritten


class Placer:
    """Holds the sound and the decoders; windows and words are given."""

    def __init__(self, samples: AnySound, pronunciations: dict[str, str]) -> None:
        self._samples = samples
        self._gain = listening_gain(samples)
        self._pronunciations = pronunciations
        self._aligner: Recogniser = word_follower(scores_all_senones=True)
        self._tolerant: TolerantEar | None = None
        for word, phones in pronunciations.items():
            self._aligner.teach(word, phones)

    def sound(self, first: int, end: int) -> Samples:
        return cut(self._samples, seconds(first), seconds(end), self._gain)

    def exactly(self, words: Sequence[str], first: int, end: int) -> Placement:
        """All the words, and nothing else, in these frames; where that cannot be, spread with confidence 0."""
        self._aligner.expect(words)
        heard = self._aligner.hear_inside(self.sound(first, end))
        if not heard:
            return Placement(unheard(len(words), first, end), unwritten=[(first, end)])
        result = Placement()
        for segment in heard:
            start, stop = first + segment.start, first + segment.end
            if not segment.is_filler:
                result.words.append(Placed(start, stop, _confidence(segment)))
                result.phones += [_phone(phone, first) for phone in segment.phones]
            elif _cost_per_frame(segment) > _COST_NOT_SILENCE and stop - start >= MIN_UNWRITTEN_FRAMES:
                result.unwritten.append((start, stop))
        return result

    def roughly(self, words: Sequence[str], first: int, end: int, *, is_last: bool) -> tuple[Placement, int]:
        """Those of the words that are said in these frames, up to the last one of them.

        Of a window that is not the last, words near its end are left for the next.

        Returns:
            The placement, and the frame after its last word (``first`` when none was found).
        """
        self._tolerant = self._tolerant or TolerantEar()
        runs = _runs(self._tolerant.find(words, self._pronunciations, self.sound(first, end)))
        result, reached = Placement(), first
        for run in runs if is_last else _without_end(runs, end - first):
            start, stop = first + run[0].start, first + run[-1].end
            if run[0].index is None:
                if stop - start >= MIN_UNWRITTEN_FRAMES:
                    result.unwritten.append((start, stop))
                continue
            result.words += unheard(run[0].index - len(result.words), reached, start)
            result.add(self.exactly([words[item.index or 0] for item in run], start, stop))
            reached = stop
        return result, reached


def _runs(found: Sequence[Found]) -> list[list[Found]]:
    """Stretches of consecutive words of the text, and of other speech."""
    runs: list[list[Found]] = []
    for item in found:
        last = runs[-1][-1] if runs else None
        if last and last.index is not None and item.index == last.index + 1:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _without_end(runs: Sequence[list[Found]], frames: int) -> list[list[Found]]:
    """Up to the last run before the window's end that is long enough to be no accident."""
    inside = [[item for item in run if item.end <= _SURE_PART * frames] for run in runs]
    while inside and (not inside[-1] or inside[-1][0].index is None or len(inside[-1]) < _SURE_WORDS):
        inside.pop()
    return [run for run in inside if run]


def unheard(count: int, first: int, end: int) -> list[Placed]:
    """Words that were not heard, spread over the frames where they should be."""
    window = Span(start_seconds=seconds(first), end_seconds_exclusive=seconds(max(first, end)))
    parts = spread([""] * count, [window])
    return [Placed(frame(part.start_seconds), frame(part.end_seconds_exclusive), 0.0) for part in parts]


def frame(at_seconds: float) -> int:
    return int(at_seconds / FRAME_SECONDS + 1e-6)


def seconds(at_frame: int) -> float:
    return round(at_frame * FRAME_SECONDS, 3)


def _phone(phone: Segment, first: int) -> Phone:
    return Phone(
        symbol=phone_symbol(phone.name),
        start_seconds=seconds(first + phone.start),
        end_seconds_exclusive=seconds(first + phone.end),
        confidence=_confidence(phone),
    )


def _cost_per_frame(segment: Segment) -> float:
    return segment.cost / max(1, segment.end - segment.start)


def _confidence(segment: Segment) -> float:
    share = (_COST_WRONG - _cost_per_frame(segment)) / (_COST_WRONG - _COST_CERTAIN)
    return round(min(1.0, max(0.0, share)), 3)
