"""The embedded recogniser (pocketsphinx, US English, models inside its wheel), wrapped: making one, letting it listen.

Not here: what is done with what it hears. It writes nothing to stderr and starts every utterance from the same state,
so equal samples give equal answers. What it hears is copied out: its own objects look into memory that it reuses.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder, get_model_path

from providers._media.sound_on_disk import AnySound

SAMPLE_RATE_HZ = 16_000
FRAME_SECONDS = 0.01  # one feature frame of the acoustic model

Samples = npt.NDArray[np.float32]

_LOUD_PEAK = 0.7
_LEVEL_SAMPLES = 1_000_000  # are enough to know how loud a sound is
_MAX_GAIN = 30.0  # about 30 dB: lifts a quiet voice, keeps a silent room silent

# Wide beams: with the defaults a script that fits badly in one place loses the whole utterance.
_WIDE = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}


@dataclass(frozen=True)
class Segment:
    """One word or phone as heard: frames ``start <= n < end``."""

    name: str
    start: int
    end: int
    cost: float = 0.0
    """Acoustic cost over all its frames, 0 the best; only from ``hear_inside``."""
    probability: float = 1.0
    phones: tuple["Segment", ...] = ()

    @property
    def is_filler(self) -> bool:
        """Silence, noise or a grammar's bookkeeping, not a word."""
        return self.name[0] in "<[(+~"


class Recogniser:
    """One decoder. Not for use by several threads."""

    def __init__(self, **options: Any) -> None:
        self._decoder: Any = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", **options)
        self._grammars = 0

    def lookup(self, word: str) -> str | None:
        """Phones of a dictionary word, separated by spaces."""
        return self._decoder.lookup_word(word)

    def teach(self, word: str, phones: str) -> None:
        """Add a word to the dictionary, unless it is there."""
        if self.lookup(word) is None:
            self._decoder.add_word(word, phones, False)

    def expect(self, words: Sequence[str]) -> None:
        """Listen for exactly these dictionary words, in this order, from now on."""
        self._decoder.set_align_text(" ".join(words))

    def expect_grammar(
        self, arcs: Sequence[tuple[int, int, float, str]], skips: Sequence[tuple[int, int, float]]
    ) -> None:
        """Listen for a path from state 0 to the highest state.

        Args:
            arcs: (from, to, probability, dictionary word).
            skips: (from, to, probability) of saying nothing; not followed in chains.
        """
        self._grammars += 1
        name = f"grammar{self._grammars}"
        grammar = self._decoder.create_fsg(name, 0, max(to for _, to, _, _ in arcs), arcs)
        for source, target, probability in skips:
            grammar.null_trans_add(source, target, int(self._decoder.logmath.log(probability)))
        self._decoder.add_fsg(name, grammar)
        self._decoder.activate_search(name)
        if self._grammars > 1:
            self._decoder.remove_search(f"grammar{self._grammars - 1}")

    def hear(self, samples: Samples) -> list[Segment]:
        """One whole utterance; empty when nothing fits it."""
        self._listen(samples)
        with suppress(RuntimeError):  # the end of the grammar was not reached
            self._decoder.end_utt()
            return self._segments()
        return []

    def hear_partly(self, samples: Samples) -> list[Segment]:
        """As ``hear``, but the best path need not have reached the end of what is expected."""
        self._listen(samples)
        segments = self._segments()
        with suppress(RuntimeError):
            self._decoder.end_utt()
        return segments

    def hear_inside(self, samples: Samples) -> list[Segment]:
        """As ``hear``, with phones and costs; expects words (``expect`` before each call)."""
        if not self.hear(samples):
            return []
        try:
            self._decoder.set_alignment()
            self._listen(samples)
            self._decoder.end_utt()
        except RuntimeError:
            return []
        return [_entry(word, tuple(_entry(phone) for phone in word)) for word in self._decoder.get_alignment()]

    def _listen(self, samples: Samples) -> None:
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm16(samples), full_utt=True)

    def _segments(self) -> list[Segment]:
        return [
            Segment(found.word, found.start_frame, found.end_frame + 1, probability=float(found.prob))
            for found in self._decoder.seg() or ()
        ]


def _entry(found: Any, phones: tuple[Segment, ...] = ()) -> Segment:
    return Segment(found.name, found.start, found.start + found.duration, cost=-float(found.score), phones=phones)


def word_follower(*, scores_all_senones: bool = False, beams: Mapping[str, float] = _WIDE) -> Recogniser:
    """Follows a given word sequence.

    With ``scores_all_senones`` costs say how well the sound is explained compared with any sound of the language
    (four times slower); without, only compared with the words that were expected.
    """
    # bestpath off: its lattice inserts zero-length <s> words, on which sub-word alignment fails.
    return Recogniser(lm=None, bestpath=False, compallsen=scores_all_senones, **beams)


def phone_hearer() -> Recogniser:
    """Hears phones without knowing words: any language, as an English ear hears it."""
    phones = get_model_path("en-us/en-us-phone.lm.bin")
    return Recogniser(lm=None, allphone=phones, lw=2.0, pip=0.3, beam=1e-20, pbeam=1e-20)


def word_guesser() -> Recogniser:
    """Guesses English words from sound."""
    return Recogniser()


def pcm16(samples: Samples) -> bytes:
    """Float samples in [-1, 1] as 16-bit little-endian PCM."""
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def listening_gain(samples: AnySound) -> float:
    """What brings the sound near full scale, at least 1; little for near-silence."""
    if samples.size == 0:
        return 1.0
    step = max(1, samples.size // _LEVEL_SAMPLES)
    piece = step * SAMPLE_RATE_HZ
    levels = [np.abs(samples[start : start + piece][::step]) for start in range(0, samples.size, piece)]
    peak = float(np.quantile(np.concatenate(levels), 0.999))
    return max(1.0, min(_LOUD_PEAK / peak, _MAX_GAIN)) if peak > 0 else 1.0


def cut(samples: AnySound, start_seconds: float, end_seconds: float, gain: float = 1.0) -> Samples:
    """The samples between two times, amplified."""
    part = samples[round(start_seconds * SAMPLE_RATE_HZ) : round(end_seconds * SAMPLE_RATE_HZ)]
    return part * np.float32(gain)
