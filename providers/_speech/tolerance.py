"""Finding which words of a text are really said, and where: words may be missing in the sound or in the text.

A grammar in which every word may be skipped, and between words any phones may be said, each at a price. Slower than
exact alignment (0.1 to 0.3 of real time), so only for stretches where that fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers._speech.decoding import Recogniser, Samples, word_follower

# Prices measured on clean and noisy English: cheaper, and true words dissolve into phones; dearer, and foreign words
# are taken for the text's.
_PHONE_PROBABILITY = 1e-10
_SKIP_PROBABILITY = 1e-20  # of leaving the text
_SKIP_ON_PROBABILITY = 0.1  # of staying out of it for another word
_MAX_SKIPPED = 24  # words in a row
_BEAMS = {"beam": 1e-50, "pbeam": 1e-50, "wbeam": 1e-44}  # just wide enough for the longest skip; width is time
_PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A word of the text that was heard (``index`` counts in the text), or, with ``index`` None, other speech."""

    index: int | None
    start: int
    end: int


class TolerantEar:
    """Hears the words of a text in sound that says more, less, or something else in places."""

    def __init__(self) -> None:
        self._ear: Recogniser = word_follower(beams=_BEAMS)
        for phone in _PHONES:
            self._ear.teach(_loose(phone), phone)

    def find(self, words: Sequence[str], pronunciations: dict[str, str], samples: Samples) -> list[Found]:
        """What is heard, in order; the text need not be heard to its end.

        Args:
            words: in lower case.
            pronunciations: of those that the dictionary may not hold.
        """
        names = [self._named(index, word, pronunciations) for index, word in enumerate(words)]
        phones = [_loose(phone) for phone in _PHONES]
        arcs = [(index, index + 1, 1.0, name) for index, name in enumerate(names)]
        arcs += [(state, state, _PHONE_PROBABILITY, name) for state in range(len(words) + 1) for name in phones]
        skips = [
            (state, state + count, _SKIP_PROBABILITY * _SKIP_ON_PROBABILITY ** (count - 1))
            for state in range(len(words))
            for count in range(1, min(_MAX_SKIPPED, len(words) - state) + 1)
        ]
        self._ear.expect_grammar(arcs, skips)
        return list(_joined(self._heard(samples)))

    def _named(self, index: int, word: str, pronunciations: dict[str, str]) -> str:
        """A dictionary entry that tells which of several equal words was heard."""
        name = f"{index}:{word}"
        self._ear.teach(name, self._ear.lookup(word) or pronunciations[word])
        variant = 2
        while (phones := self._ear.lookup(f"{word}({variant})")) is not None:
            self._ear.teach(f"{name}({variant})", phones)
            variant += 1
        return name

    def _heard(self, samples: Samples) -> Iterator[Found]:
        for segment in self._ear.hear_partly(samples):
            if segment.name.startswith("~"):
                yield Found(None, segment.start, segment.end)
            elif not segment.is_filler:
                yield Found(int(segment.name.split(":", 1)[0]), segment.start, segment.end)


def _loose(phone: str) -> str:
    return f"~{phone.lower()}"


def _joined(found: Iterator[Found]) -> Iterator[Found]:
    """Neighbouring stretches of other speech as one."""
    other: Found | None = None
    for item in found:
        if item.index is None:
            other = Found(None, other.start if other else item.start, item.end)
            continue
        if other is not None:
            yield other
            other = None
        yield item
    if other is not None:
        yield other
