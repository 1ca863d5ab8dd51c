"""Sound as the generator hears it: 80 mel bands, 80 columns a second, -4 for silence to 4; and a window per frame.

Every number below is as trained (Wav2Lip hparams); mel bands are Slaney's (Auditory Toolbox, 1998), as in librosa.
"""

import math
from fractions import Fraction
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from providers._media.encode import exact_rate

SAMPLE_RATE_HZ = 16_000
FFT_SAMPLES = 800
HOP_SAMPLES = 200
COLUMNS_PER_SECOND = SAMPLE_RATE_HZ // HOP_SAMPLES
BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 55.0, 7600.0
PREEMPHASIS = 0.97
FLOOR = 1e-5  # of the magnitude, -100 dB
REFERENCE_DB = 20.0
RANGE_DB = 100.0
SILENCE = -4.0
WINDOW_COLUMNS = 16
_BLOCK_COLUMNS = 800  # ten seconds at a time, so that spectra of long sound take no memory

Floats = npt.NDArray[np.float32]
MelPadding = Literal["zeros", "reflect"]


def mel_spectrogram(samples: Floats, padding: MelPadding = "zeros") -> Floats:
    """float32 (80, 1 + num_samples // 200) of float32 (num_samples,) at 16 kHz.

    Args:
        padding: what stands before the first and after the last sample: ``zeros`` as librosa does since 0.9,
            ``reflect`` as before. Only the first and last columns differ.
    """
    if len(samples) == 0:
        return np.full((BANDS, 1), SILENCE, np.float32)
    emphasised = np.append(samples[:1], samples[1:] - np.float32(PREEMPHASIS) * samples[:-1]).astype(np.float32)
    half = FFT_SAMPLES // 2
    can_reflect = padding == "reflect" and len(samples) > half
    padded = np.pad(emphasised, half, mode="reflect" if can_reflect else "constant")
    pieces = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]  # (columns, 800)
    mel = np.empty((BANDS, len(pieces)), np.float32)
    for start in range(0, len(pieces), _BLOCK_COLUMNS):
        spectrum = np.fft.rfft(pieces[start : start + _BLOCK_COLUMNS] * _hann(), axis=1)  # (n, 401)
        mel[:, start : start + _BLOCK_COLUMNS] = _normalised(_mel_bands() @ np.abs(spectrum).T)  # (80, n)
    return mel


def _normalised(magnitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    decibels = 20 * np.log10(np.maximum(FLOOR, magnitude)) - REFERENCE_DB
    return np.clip(8 * (decibels + RANGE_DB) / RANGE_DB - 4, -4, 4)


@cache
def _hann() -> npt.NDArray[np.float64]:
    """Periodic, (800,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)


@cache
def _mel_bands() -> npt.NDArray[np.float64]:
    """Triangles of equal area, (80, 401)."""
    frequencies = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    mels = np.linspace(_mel_of_hz(LOWEST_HZ), _mel_of_hz(HIGHEST_HZ), BANDS + 2)
    edges = np.array([_hz_of_mel(float(mel)) for mel in mels])
    rising = (frequencies[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies[None]) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's mel: 15 per 1000 Hz up to there, then 27 per factor 6.4.
def _mel_of_hz(hz: float) -> float:
    return 15 + 27 * float(np.log(hz / 1000) / np.log(6.4)) if hz >= 1000 else hz * 0.015


def _hz_of_mel(mel: float) -> float:
    return 1000 * float(6.4 ** ((mel - 15) / 27)) if mel >= 15 else mel / 0.015


def quiet_as_silence(mel: Floats, samples: Floats, below_dbfs: float) -> Floats:
    """``mel`` with ``SILENCE`` wherever the sound stays below a level for a window's length: noise moves no mouth."""
    reach = WINDOW_COLUMNS // 2
    power = np.convolve(_column_power(samples, mel.shape[1]), np.ones(2) / 2, "same")
    loud = power >= 10 ** (below_dbfs / 10)
    near = np.convolve(loud, np.ones(2 * reach + 1), "same")[: mel.shape[1]] > 0
    return np.where(near[None], mel, np.float32(SILENCE))


def _column_power(samples: Floats, columns: int) -> npt.NDArray[np.float64]:
    """Mean square of the 200 samples from each column on, (columns,)."""
    padded = np.zeros(columns * HOP_SAMPLES, np.float32)
    count = min(len(samples), len(padded))
    padded[:count] = samples[:count]
    return np.mean(np.square(padded.reshape(columns, HOP_SAMPLES), dtype=np.float64), axis=1)


def original_window_starts(columns: int, fps: float) -> list[int]:
    """First column of each frame's window, as the original's inference has them.

    The last one is the window that ends with the sound; frames after it do not exist, so the end of the sound is
    without a picture.
    """
    starts: list[int] = []
    per_frame = COLUMNS_PER_SECOND / fps
    while True:
        start = int(len(starts) * per_frame)
        if start + WINDOW_COLUMNS > columns:
            return [*starts, columns - WINDOW_COLUMNS]
        starts.append(start)


def window_starts(frame_count: int, fps: float, ahead_frames: float = 0.0) -> list[int]:
    """First column of each frame's window, exact for any rate; they may reach beyond the sound at both ends.

    Args:
        ahead_frames: how far the mouth runs ahead of the sound.
    """
    per_frame = Fraction(COLUMNS_PER_SECOND) / exact_rate(fps)
    ahead = Fraction(ahead_frames).limit_denominator(1000)
    return [math.floor((index + ahead) * per_frame) for index in range(frame_count)]


def window(mel: Floats, start: int) -> Floats:
    """float32 (80, 16) from column ``start`` on; silence outside of the sound."""
    first, last = max(0, start), min(mel.shape[1], start + WINDOW_COLUMNS)
    if last - first == WINDOW_COLUMNS:
        return mel[:, first:last]
    found = np.full((BANDS, WINDOW_COLUMNS), SILENCE, np.float32)
    if last > first:
        found[:, first - start : last - start] = mel[:, first:last]
    return found
