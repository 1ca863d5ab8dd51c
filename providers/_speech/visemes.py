"""How a mouth moves while it speaks: from phones, from a curve of openings, or from the sound alone.

Poses follow the usual viseme classes. Neighbours blend into each other by their dominance, as in Cohen and Massaro's
model of co-articulation: how far the mouth opens follows the phone at hand, while lips round well ahead of a rounded
vowel, through consonants that do not care. Not here: what the mouth looks like (``providers.lipsync``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.script import MouthCurve, Phone

Floats = npt.NDArray[np.float32]

WORK_RATE_HZ = 200.0
BLEND_SECONDS = 0.035  # Gaussian: so far a phone's opening reaches into its neighbours
ROUNDING_AHEAD_SECONDS, ROUNDING_AFTER_SECONDS = 0.09, 0.04  # lips take their width early and keep it for a moment
CARELESS, ROUNDED = 0.25, 2.0  # dominance of the width of phones that the lips do not shape, and of rounded ones
HEARD_SHARE = 0.5  # of the opening is decided by how open the sound is, the rest by the phones
SILENCE_FLOOR_DB = 35.0
QUIETEST_SPEECH_DB = -30.0  # a recording without anything louder holds no speech
SHORTEST_CLOSURE_SECONDS = 0.05
SPEECH_BAND_HZ = (150.0, 4000.0)


@dataclass(frozen=True)
class MouthMotion:
    """Arrays of one length, float32; element i holds at ``i / rate_hz`` seconds.

    ``opening`` 0 closed .. 1 widest, a little below 0 for lips pressed together; ``width`` relative to rest (0.7
    rounded .. 1.15 spread); ``teeth`` 0..1 how much the upper teeth show; ``tuck`` 0..1 lower lip under the teeth.
    """

    rate_hz: float
    opening: Floats
    width: Floats
    teeth: Floats
    tuck: Floats

    def __len__(self) -> int:
        return len(self.opening)

    def ahead(self, seconds: float) -> "MouthMotion":
        """The same motion that much earlier; its end is held."""
        places = np.arange(len(self)) + seconds * self.rate_hz
        columns = (self.opening, self.width, self.teeth, self.tuck)
        moved = (np.interp(places, np.arange(len(self)), column).astype(np.float32) for column in columns)
        return MouthMotion(self.rate_hz, *moved)


@dataclass(frozen=True)
class _Pose:
    opening: float
    width: float = 1.0
    teeth: float = 0.0
    tuck: float = 0.0
    dominance: float = 1.0


_REST = _Pose(0.0, dominance=0.8)
_TONGUE = 0.5  # consonants made by the tongue take the lips of their neighbours
_POSES = {
    "SIL": _REST,
    "M": _Pose(-0.08),
    "B": _Pose(-0.06),
    "P": _Pose(-0.06),
    "F": _Pose(0.10, 1.0, 1.0, 1.0),
    "V": _Pose(0.10, 1.0, 1.0, 1.0),
    "AA": _Pose(0.90, 0.97, 0.5),
    "AE": _Pose(0.78, 1.10, 0.8),
    "AH": _Pose(0.55, 1.00, 0.5),
    "AO": _Pose(0.72, 0.82, 0.3),
    "AW": _Pose(0.82, 0.92, 0.4),
    "AY": _Pose(0.78, 1.03, 0.6),
    "EH": _Pose(0.58, 1.07, 0.7),
    "EY": _Pose(0.45, 1.10, 0.8),
    "ER": _Pose(0.35, 0.86, 0.4),
    "IH": _Pose(0.36, 1.07, 0.8),
    "IY": _Pose(0.30, 1.15, 0.9),
    "OW": _Pose(0.50, 0.74, 0.2),
    "OY": _Pose(0.55, 0.76, 0.3),
    "UH": _Pose(0.30, 0.80, 0.2),
    "UW": _Pose(0.24, 0.70, 0.1),
    "W": _Pose(0.14, 0.70, 0.0),
    "R": _Pose(0.25, 0.84, 0.4, dominance=0.7),
    "HH": _Pose(0.40, 1.00, 0.4, dominance=0.3),
    "L": _Pose(0.34, 1.00, 0.6, dominance=_TONGUE),
    "Y": _Pose(0.25, 1.10, 0.7, dominance=_TONGUE),
    "TH": _Pose(0.20, 1.02, 0.9, dominance=0.8),
    "DH": _Pose(0.20, 1.02, 0.9, dominance=_TONGUE),
    "S": _Pose(0.15, 1.08, 1.0, dominance=0.9),
    "Z": _Pose(0.15, 1.08, 1.0, dominance=0.9),
    "SH": _Pose(0.20, 0.82, 1.0),
    "ZH": _Pose(0.20, 0.82, 1.0),
    "CH": _Pose(0.20, 0.84, 1.0),
    "JH": _Pose(0.20, 0.84, 1.0),
    "T": _Pose(0.20, 1.03, 0.8, dominance=_TONGUE),
    "D": _Pose(0.20, 1.03, 0.8, dominance=_TONGUE),
    "N": _Pose(0.22, 1.02, 0.7, dominance=_TONGUE),
    "K": _Pose(0.30, 1.00, 0.5, dominance=_TONGUE),
    "G": _Pose(0.30, 1.00, 0.5, dominance=_TONGUE),
    "NG": _Pose(0.28, 1.00, 0.5, dominance=_TONGUE),
}
_CLOSURES = frozenset(["M", "B", "P", "F", "V"])


def mouth_motion(
    phones: Sequence[Phone],
    duration_seconds: float,
    rate_hz: float,
    *,
    lead_seconds: float = 0.03,
    heard: Floats | None = None,
) -> MouthMotion:
    """The motion for a phone sequence.

    Args:
        duration_seconds: of the audio; the motion has ``round(duration_seconds * rate_hz)`` elements, at least one.
        lead_seconds: how much the lips run ahead of the sound, as real ones do.
        heard: opening 0..1 by the sound alone, evenly spread over the whole duration: phones by ear may be wrong, and
            louder speech opens wider. Silence and closures stay shut.
    """
    count = frame_count(duration_seconds, rate_hz)
    dense = _blended(phones, duration_seconds, lead_seconds)
    if heard is not None and heard.size:
        places = np.linspace(0, len(heard) - 1, len(dense))
        level = np.interp(places, np.arange(len(heard)), heard)
        mixed = (1 - HEARD_SHARE) * dense[:, 0] + HEARD_SHARE * level * _speech_share(phones, len(dense), lead_seconds)
        dense[:, 0] = mixed
    _sharpen(dense, phones, lead_seconds)
    rows = np.minimum(np.round(np.arange(count) / rate_hz * WORK_RATE_HZ).astype(int), len(dense) - 1)
    sampled = dense[rows]
    _keep_closures(sampled, phones, rate_hz, lead_seconds)
    return _motion(sampled, rate_hz)


def motion_from_curve(curve: MouthCurve, duration_seconds: float, rate_hz: float, lead_seconds: float) -> MouthMotion:
    """The motion for a curve of openings; teeth follow the opening."""
    count = frame_count(duration_seconds, rate_hz)
    if not curve.opening:
        return _motion(_rest(count), rate_hz)
    times = np.arange(count) / rate_hz + lead_seconds
    known = np.arange(len(curve.opening)) / curve.rate_hz
    opening = np.clip(np.interp(times, known, np.asarray(curve.opening)), 0, 1)
    width = np.interp(times, known, np.asarray(curve.width)) if curve.width else np.ones(count)
    poses = np.stack([opening, np.clip(width, 0.7, 1.15), np.clip(0.3 + opening, 0, 0.8), np.zeros(count)], axis=1)
    return _motion(poses, rate_hz)


def motion_from_audio(samples: Floats, sample_rate_hz: int, rate_hz: float) -> MouthMotion:
    """The motion from the sound alone, for any language: band energy opens, the spectrum's balance shapes.

    Args:
        samples: float32 in [-1, 1], shape (num_samples,).
    """
    count = frame_count(len(samples) / sample_rate_hz, rate_hz)
    low, middle, high, below_high, hissing, all_of_it = _band_powers(
        samples,
        sample_rate_hz,
        count,
        ((200, 500), (500, 1100), (1600, 2800), (700, 1300), (3500, 7800), (100, 7800)),
    )
    level = loudness_envelope(samples, sample_rate_hz, count)
    first_formant = middle / (low + middle)
    second_formant = high / (below_high + high)
    hiss = hissing / all_of_it
    opening = level**1.3 * (0.35 + 0.65 * np.clip((first_formant - 0.2) / 0.6, 0, 1))
    opening *= 1 - 0.7 * np.clip((hiss - 0.3) / 0.4, 0, 1)
    opening = _smoothed(opening[:, None], _gaussian(0.02 * rate_hz))[:, 0]
    opening = np.where(opening < 0.06, 0, opening)
    opening = opening / max(float(np.percentile(opening, 97)), 0.3) * 0.8
    width = 1 + (0.8 + 0.33 * np.clip(second_formant / 0.7, 0, 1) - 1) * level
    teeth = np.clip(0.3 + hiss + 0.4 * second_formant, 0, 1)
    return _motion(np.stack([np.clip(opening, 0, 1), width, teeth, np.zeros(count)], axis=1), rate_hz)


def loudness_envelope(samples: Floats, sample_rate_hz: int, count: int) -> Floats:
    """Loudness in the band of speech, 0..1 over the upper 35 dB, ``count`` values over the whole length."""
    (power,) = _band_powers(samples, sample_rate_hz, count, (SPEECH_BAND_HZ,))
    level_db = 10 * np.log10(power)
    loudest = max(float(np.percentile(level_db, 95)), QUIETEST_SPEECH_DB)
    return np.asarray(np.clip((level_db - loudest + SILENCE_FLOOR_DB) / SILENCE_FLOOR_DB, 0, 1), np.float32)


def frame_count(duration_seconds: float, rate_hz: float) -> int:
    """Frames that show a sound of this length; at least one."""
    return max(1, round(duration_seconds * rate_hz))


def _blended(phones: Sequence[Phone], duration_seconds: float, lead_seconds: float) -> npt.NDArray[np.float64]:
    """Poses at the work rate, shape (n, 4), each blended with its neighbours by their dominance."""
    count = int(np.ceil(duration_seconds * WORK_RATE_HZ)) + 1
    poses, dominance = _rest(count), np.full((count, 1), _REST.dominance)
    shaping = np.full((count, 1), _REST.dominance)
    for phone in phones:
        pose = _POSES.get(phone.symbol, _REST)
        first = max(0, round((phone.start_seconds - lead_seconds) * WORK_RATE_HZ))
        last = max(first, round((phone.end_seconds_exclusive - lead_seconds) * WORK_RATE_HZ))
        poses[first:last] = (pose.opening, pose.width, pose.teeth, pose.tuck)
        dominance[first:last] = pose.dominance
        shaping[first:last] = _width_dominance(pose)
    near = _gaussian(BLEND_SECONDS * WORK_RATE_HZ)
    blended = _smoothed(poses * dominance, near) / _smoothed(dominance, near)
    ahead = _look_ahead()
    blended[:, 1] = (_smoothed(poses[:, 1:2] * shaping, ahead) / _smoothed(shaping, ahead))[:, 0]
    return blended


def _speech_share(phones: Sequence[Phone], count: int, lead_seconds: float) -> npt.NDArray[np.float64]:
    """1 while phones are spoken, 0 in silence, at the work rate."""
    share = np.zeros((count, 1))
    for phone in phones:
        first = max(0, round((phone.start_seconds - lead_seconds) * WORK_RATE_HZ))
        last = max(first, round((phone.end_seconds_exclusive - lead_seconds) * WORK_RATE_HZ))
        share[first:last] = phone.symbol in _POSES and phone.symbol != "SIL"
    return _smoothed(share, _gaussian(BLEND_SECONDS * WORK_RATE_HZ))[:, 0]


def _width_dominance(pose: _Pose) -> float:
    """Rounded vowels shape the lips most; what is made by the tongue or by shutting takes its neighbours' width."""
    if pose.width < 0.9:
        return ROUNDED
    return CARELESS if pose.dominance == _TONGUE or pose.opening < 0 else pose.dominance


def _look_ahead() -> npt.NDArray[np.float64]:
    """Weights over time, the future on the right, for ``_smoothed``."""
    reach = round(2.5 * ROUNDING_AHEAD_SECONDS * WORK_RATE_HZ)
    offset = np.arange(-reach, reach + 1) / WORK_RATE_HZ
    return np.exp(-np.where(offset > 0, offset / ROUNDING_AHEAD_SECONDS, -offset / ROUNDING_AFTER_SECONDS))


def _sharpen(dense: npt.NDArray[np.float64], phones: Sequence[Phone], lead_seconds: float) -> None:
    """Give lips that must touch (M B P, F V) their full pose again, with steep flanks."""
    for phone in phones:
        if phone.symbol not in _CLOSURES:
            continue
        centre = ((phone.start_seconds + phone.end_seconds_exclusive) / 2 - lead_seconds) * WORK_RATE_HZ
        length = max(phone.end_seconds_exclusive - phone.start_seconds, SHORTEST_CLOSURE_SECONDS)
        half = length / 2 * WORK_RATE_HZ
        rows = np.arange(max(0, int(centre - 3 * half)), min(len(dense), int(centre + 3 * half) + 1))
        if rows.size:
            weight = np.exp(-(((rows - centre) / (0.95 * half)) ** 4))[:, None]
            dense[rows] = dense[rows] * (1 - weight) + _row(phone.symbol) * weight


def _keep_closures(
    sampled: npt.NDArray[np.float64], phones: Sequence[Phone], rate_hz: float, lead_seconds: float
) -> None:
    """A closure shorter than a frame must not fall between two frames: the nearest one shows it."""
    for phone in phones:
        if phone.symbol in _CLOSURES:
            centre = (phone.start_seconds + phone.end_seconds_exclusive) / 2 - lead_seconds
            index = round(centre * rate_hz)
            if 0 <= index < len(sampled):
                sampled[index] = _row(phone.symbol)


def _row(symbol: str) -> npt.NDArray[np.float64]:
    pose = _POSES[symbol]
    return np.array([pose.opening, pose.width, pose.teeth, pose.tuck])


def _rest(count: int) -> npt.NDArray[np.float64]:
    poses = np.zeros((count, 4))
    poses[:, 1] = 1.0
    return poses


def _gaussian(sigma: float) -> npt.NDArray[np.float64]:
    reach = max(1, round(3 * sigma))
    return np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)


def _smoothed(values: npt.NDArray[np.float64], kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean along the first axis; ``kernel`` is of odd length, what comes later on its right; ends are held."""
    reach = len(kernel) // 2
    weights = kernel[::-1] / kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(padded[:, column], weights, mode="valid") for column in range(values.shape[1])]
    return np.asarray(np.stack(columns, axis=1), np.float64)


def _band_powers(
    samples: Floats, sample_rate_hz: int, count: int, bands_hz: Sequence[tuple[float, float]]
) -> npt.NDArray[np.float64]:
    """Power in each band, shape (bands, count): 30 ms around each of ``count`` moments, pre-emphasised sound."""
    length = round(0.03 * sample_rate_hz)
    fft_length = 1 << (2 * length - 1).bit_length()
    sharp = np.append(samples[:1], samples[1:] - 0.95 * samples[:-1])
    padded = np.pad(sharp, (length, 2 * length))
    centres = np.round(np.arange(count) / count * len(samples)).astype(int)
    frequencies = np.fft.rfftfreq(fft_length, 1 / sample_rate_hz)
    members = np.array([(frequencies >= low) & (frequencies < high) for low, high in bands_hz], np.float64)
    powers = np.empty((len(bands_hz), count))
    for first in range(0, count, 1024):  # in blocks: an hour of sound must not become an hour of spectra
        starts = centres[first : first + 1024] + length - length // 2
        windows = padded[starts[:, None] + np.arange(length)] * np.hanning(length)
        power = np.abs(np.fft.rfft(windows, fft_length)) ** 2 / length
        powers[:, first : first + 1024] = members @ power.T
    return powers + 1e-9


def _motion(poses: npt.NDArray[np.float64], rate_hz: float) -> MouthMotion:
    opening, width, teeth, tuck = (np.asarray(column, np.float32) for column in poses.T)
    return MouthMotion(rate_hz, opening, width, teeth, tuck)
