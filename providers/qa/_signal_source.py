"""The finished file's sound beside the source's: is it the same recording, is it in its place, is anything gone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Span
from providers._media.sound_on_disk import SoundOnDisk
from providers.qa._signal_sound import LEVEL_RATE_HZ, LOW_RATE_HZ, Signal, Sound, true_spans

COARSE_REACH_SECONDS, COARSE_STEP_SECONDS = 5.0, 20.0
WINDOW_SECONDS, HOP_SECONDS, WINDOW_REACH_SECONDS = 1.0, 0.5, 0.6
SAME_FROM, TIMED_FROM = 0.5, 0.8  # Pearson's r: AAC at 64 kbit/s and above keeps 0.95, other speech reaches 0.3
LEAST_ACTIVE_SHARE = 0.3
LEAST_SILENCE_SECONDS = 0.15
RARE_SHARE = 0.1  # a shift seen in fewer windows than this is a wrong match, not a shift


@dataclass(frozen=True)
class Window:
    """One second of the source, and where it was found again; ``shift_seconds`` > 0: later than in the source."""

    span: Span
    shift_seconds: float
    correlation: float


@dataclass(frozen=True)
class Comparison:
    """``windows`` are those where both the source and the finished file have sound."""

    windows: tuple[Window, ...]
    silences: tuple[Span, ...]
    """Silent in the finished file where the source is not; times of the finished file."""

    @property
    def same_share(self) -> float | None:
        if not self.windows:
            return None
        return sum(window.correlation >= SAME_FROM for window in self.windows) / len(self.windows)

    @property
    def shift_seconds(self) -> float | None:
        """The largest shift that more than a few windows share; None when nothing was recognised."""
        shifts = sorted((w.shift_seconds for w in self.windows if w.correlation >= TIMED_FROM), key=abs)
        return shifts[max(0, int(np.ceil(len(shifts) * (1 - RARE_SHARE))) - 1)] if shifts else None


def compare(finished: Sound, source: Sound) -> Comparison:
    coarse = _coarse_shift(finished.low, source.low)
    windows = tuple(
        _find(finished.low, source.low, start, coarse)
        for start in _window_starts(source)
        if _has_sound(finished, start + coarse, min(WINDOW_SECONDS, source.duration_seconds))
    )
    recognised = [window for window in windows if window.correlation >= TIMED_FROM]
    return Comparison(windows, _added_silences(finished, source, coarse if recognised or not windows else 0.0))


def _coarse_shift(finished: SoundOnDisk, source: SoundOnDisk) -> float:
    """Seconds by which the whole source fits best, within COARSE_REACH_SECONDS."""
    reach, step = round(COARSE_REACH_SECONDS * LOW_RATE_HZ), round(COARSE_STEP_SECONDS * LOW_RATE_HZ)
    total = np.zeros(2 * reach + 1)
    for start in range(0, source.size, step):
        wanted = source[start : start + step]
        total += _products(_cut(finished, start - reach, wanted.size + 2 * reach), wanted)
    return (int(np.argmax(total)) - reach) / LOW_RATE_HZ if float(total.max()) > 0 else 0.0


def _window_starts(source: Sound) -> list[float]:
    """Starts of the windows in which the source is clearly heard."""
    per_window = round(WINDOW_SECONDS * LEVEL_RATE_HZ)
    active = source.is_active
    if not len(active):
        return []
    starts = range(0, max(1, len(active) - per_window + 1), round(HOP_SECONDS * LEVEL_RATE_HZ))
    return [at / LEVEL_RATE_HZ for at in starts if active[at : at + per_window].mean() >= LEAST_ACTIVE_SHARE]


def _has_sound(finished: Sound, start_seconds: float, length_seconds: float) -> bool:
    """Whether the finished file reaches over the whole window, and is heard there."""
    start, count = round(start_seconds * LEVEL_RATE_HZ), round(length_seconds * LEVEL_RATE_HZ)
    heard = ~finished.is_silent[max(0, start) : max(0, start + count)]
    return heard.size >= max(1, count - 1) and bool(heard.mean() >= LEAST_ACTIVE_SHARE)


def _find(finished: SoundOnDisk, source: SoundOnDisk, start_seconds: float, coarse_seconds: float) -> Window:
    """Where around its expected place one window of the source is heard best."""
    start, length = round(start_seconds * LOW_RATE_HZ), round(WINDOW_SECONDS * LOW_RATE_HZ)
    wanted = source[start : start + length]
    reach = round(WINDOW_REACH_SECONDS * LOW_RATE_HZ)
    first = start + round(coarse_seconds * LOW_RATE_HZ) - reach
    heard = _cut(finished, first, wanted.size + 2 * reach)
    likeness = _normalised_products(heard, wanted)
    best = int(np.argmax(likeness))
    return Window(
        Span(start_seconds=start_seconds, end_seconds_exclusive=start_seconds + wanted.size / LOW_RATE_HZ),
        (first + best - start) / LOW_RATE_HZ,
        float(likeness[best]),
    )


def _normalised_products(heard: Signal, wanted: Signal) -> npt.NDArray[np.float64]:
    """Correlation of ``wanted`` with every stretch of ``heard`` of its length, -1..1."""
    energy = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    energies = energy[wanted.size :] - energy[: -wanted.size]
    norm = np.sqrt(np.maximum(energies, 1e-9) * max(float((wanted.astype(np.float64) ** 2).sum()), 1e-9))
    return _products(heard, wanted) / norm


def _products(heard: Signal, wanted: Signal) -> npt.NDArray[np.float64]:
    """Scalar product of ``wanted`` with every stretch of ``heard`` of its length."""
    size = 1 << int(np.ceil(np.log2(heard.size + wanted.size)))
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    return products[: heard.size - wanted.size + 1]


def _cut(signal: SoundOnDisk, first: int, count: int) -> Signal:
    """``count`` samples from ``first``, zeros outside the signal."""
    before, after = max(0, -first), max(0, first + count - signal.size)
    inside = signal[max(0, first) : max(0, first + count)]
    return np.pad(inside, (min(before, count), min(after, count - inside.size - min(before, count))))[:count]


def _added_silences(finished: Sound, source: Sound, shift_seconds: float) -> tuple[Span, ...]:
    """Of each silent stretch that hides at least LEAST_SILENCE_SECONDS of the source: from first to last hidden."""
    active = _moved_flags(source.is_active, round(shift_seconds * LEVEL_RATE_HZ), finished.level_db.size)
    silences: list[Span] = []
    for span in true_spans(finished.is_silent, LEVEL_RATE_HZ):
        first = round(span.start_seconds * LEVEL_RATE_HZ)
        hidden = first + np.flatnonzero(active[first : round(span.end_seconds_exclusive * LEVEL_RATE_HZ)])
        if hidden.size >= LEAST_SILENCE_SECONDS * LEVEL_RATE_HZ:
            start, end = float(hidden[0]) / LEVEL_RATE_HZ, float(hidden[-1] + 1) / LEVEL_RATE_HZ
            silences.append(Span(start_seconds=start, end_seconds_exclusive=end))
    return tuple(silences)


def _moved_flags(flags: npt.NDArray[np.bool_], delay: int, count: int) -> npt.NDArray[np.bool_]:
    places = np.arange(count) - delay
    inside = (places >= 0) & (places < flags.size)
    result = np.zeros(count, bool)
    result[inside] = flags[places[inside]]
    return result
