"""A mouth curve straight from the sound, with librosa's features: the safety net where phones are unsure.

Any language. Loudness between 150 and 4000 Hz opens the mouth, energy near the first formant opens it more, hiss closes
it, energy near the second formant spreads it. Agreement with a curve from aligned phones: r about 0.7.
"""

from collections.abc import Iterator
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from contracts.script import MouthCurve
from providers._media.sound_on_disk import AnySound
from providers._speech.decoding import SAMPLE_RATE_HZ

RATE_HZ = 100
_HOP = SAMPLE_RATE_HZ // RATE_HZ
_FFT = 512  # 32 ms at 16 kHz
_BLOCK_FRAMES = 60 * RATE_HZ  # a minute at a time: bounded memory
_SPEECH_HZ = (150, 4000)
_FIRST_FORMANT_HZ = ((500, 1100), (200, 500))  # open, close
_SECOND_FORMANT_HZ = ((1600, 2800), (700, 1300))  # spread, rounded
_HISS_HZ = (3500, 7800)
_PRE_EMPHASIS = 0.95  # lifts the formants over the pitch; on lips of five talkers r 0.49 with it, 0.43 without
_RANGE_DB = 35.0
_FLOOR_DB = -60.0  # of full scale: quieter is silence however loud the rest is
_NARROWEST, _WIDEST = 0.8, 1.13
_SHUT = 0.06

Floats = npt.NDArray[np.float32]


def mouth_curve(samples: AnySound) -> MouthCurve:
    """Opening 0..1 and width relative to rest, 100 values a second.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
    """
    if samples.size == 0:
        return MouthCurve(rate_hz=RATE_HZ, opening=(), origin="features")
    level, first, second, hiss = _features(samples)
    loudest = max(float(np.quantile(level, 0.95)), _FLOOR_DB + _RANGE_DB)
    loudness = np.clip((level - (loudest - _RANGE_DB)) / _RANGE_DB, 0.0, 1.0)
    tall = 0.35 + 0.65 * np.clip((first - 0.2) / 0.6, 0.0, 1.0)
    opening = loudness**1.3 * tall * (1.0 - 0.7 * np.clip((hiss - 0.3) / 0.4, 0.0, 1.0))
    opening = _smooth(opening)
    opening[opening < _SHUT] = 0.0
    opening /= max(float(np.quantile(opening, 0.99)), 0.3)
    spread = _NARROWEST + (_WIDEST - _NARROWEST) * np.clip(second / 0.7, 0.0, 1.0)
    width = _smooth(1.0 + (spread - 1.0) * loudness)
    return MouthCurve(
        rate_hz=RATE_HZ, opening=_rounded(np.clip(opening, 0.0, 1.0)), width=_rounded(width), origin="features"
    )


def _features(samples: AnySound) -> tuple[Floats, Floats, Floats, Floats]:
    """Per frame: level in the speech band in dB of full scale, openness, spread and hiss as shares 0..1."""
    rows = [_block_features(block) for block in _blocks(samples)]
    level, first, second, hiss = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return level, first, second, hiss


def _blocks(samples: AnySound) -> Iterator[Floats]:
    """Minutes of samples, emphasised; each centred frame of a block lies wholly in it: blocks join without a seam."""
    count = samples.size // _HOP + 1
    for start in range(0, count, _BLOCK_FRAMES):
        frames = min(_BLOCK_FRAMES, count - start)
        first = start * _HOP - _FFT // 2
        end = first + (frames - 1) * _HOP + _FFT
        inside = _emphasised(samples, max(0, first), min(end, samples.size))
        yield np.pad(inside, (max(0, -first), max(0, end - samples.size)))


def _emphasised(samples: AnySound, first: int, end: int) -> Floats:
    """High frequencies lifted; each sample is seen beside the one before it, the very first as librosa does."""
    lead = min(first, 1)
    return librosa.effects.preemphasis(samples[first - lead : end], coef=_PRE_EMPHASIS)[lead:]


def _block_features(block: Floats) -> tuple[Floats, ...]:
    power = np.abs(librosa.stft(block, n_fft=_FFT, hop_length=_HOP, center=False)) ** 2
    level = librosa.power_to_db(_band(power, _SPEECH_HZ), ref=(_FFT / 4) ** 2, amin=1e-12, top_db=None)
    return (
        level.astype(np.float32),
        _share(power, *_FIRST_FORMANT_HZ),
        _share(power, *_SECOND_FORMANT_HZ),
        _share(power, _HISS_HZ, (100, _HISS_HZ[0])),
    )


_FREQUENCIES_HZ = librosa.fft_frequencies(sr=SAMPLE_RATE_HZ, n_fft=_FFT)


def _band(power: Floats, band_hz: tuple[int, int]) -> Floats:
    low, high = band_hz
    return power[(low <= _FREQUENCIES_HZ) & (high > _FREQUENCIES_HZ)].sum(axis=0)


def _share(power: Floats, of_hz: tuple[int, int], against_hz: tuple[int, int]) -> Floats:
    this, other = _band(power, of_hz), _band(power, against_hz)
    return (this / (this + other + 1e-9)).astype(np.float32)


def _smooth(values: npt.NDArray[Any]) -> Floats:
    """A 50 ms Hann window: faster than that no mouth moves."""
    window = np.hanning(7)[1:-1]
    return np.convolve(values, window / window.sum(), mode="same").astype(np.float32)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)
