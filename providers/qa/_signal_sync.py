"""How well two signals over time agree, and how late one is: correlation at every lag. Arrays in, numbers out."""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]

CURVE_RATE_HZ = 100.0  # curves are compared on this grid; a parabola finds lags between its points
MAX_LAG_SECONDS = 0.5
RIVAL_FROM_SECONDS = 0.12  # syllables are longer: a nearer lag is the same peak
INDEPENDENT_PER_SECOND = 4.0  # syllables; the opening says nothing new more often


@dataclass(frozen=True)
class Agreement:
    """The best Pearson correlation within the lags tried; ``lag_seconds`` > 0 when the first signal is late.

    ``rival`` is the best correlation at a lag that is clearly another one; -1 where none was tried.
    """

    correlation: float
    lag_seconds: float
    rival: float
    overlap_seconds: float

    @property
    def confidence(self) -> float:
        """0..1: how likely this lag is truly better than its rival (Fisher's z of two correlations)."""
        independent = max(0.0, self.overlap_seconds * INDEPENDENT_PER_SECOND - 3)
        apart = np.arctanh(min(self.correlation, 0.999)) - np.arctanh(max(self.rival, -0.999))
        return round(0.5 * (1 + erf(float(apart) * sqrt(independent / 2) / sqrt(2))), 3)


def best_agreement(
    measured: Signal, expected: Signal, rate_hz: float, max_lag_seconds: float = MAX_LAG_SECONDS
) -> Agreement | None:
    """Slide ``measured`` against ``expected``; NaN in ``measured`` is left out.

    Returns:
        None when either does not vary, or less than a second of them overlaps.
    """
    count = min(len(measured), len(expected))
    reach = min(round(max_lag_seconds * rate_hz), count - round(rate_hz))
    if reach < 0:
        return None
    found = np.array([_correlation_at(measured[:count], expected[:count], lag) for lag in range(-reach, reach + 1)])
    if np.all(np.isnan(found)):
        return None
    best = int(np.nanargmax(found))
    away = np.abs(np.arange(len(found)) - best) >= RIVAL_FROM_SECONDS * rate_hz
    rivals = found[away & np.isfinite(found)]
    lag_seconds = (best - reach + _peak_between(found, best)) / rate_hz
    rival = float(rivals.max()) if rivals.size else -1.0
    overlap = (count - abs(best - reach)) / rate_hz
    return Agreement(float(found[best]), lag_seconds, rival, overlap)


def _correlation_at(measured: Signal, expected: Signal, lag: int) -> float:
    """Pearson's r with ``measured`` moved ``lag`` samples earlier; NaN when one is constant."""
    count = len(measured) - abs(lag)
    first = measured[max(0, lag) : max(0, lag) + count]
    second = expected[max(0, -lag) : max(0, -lag) + count]
    seen = np.isfinite(first)
    if seen.sum() < 2:
        return float("nan")
    first, second = first[seen].astype(np.float64), second[seen].astype(np.float64)
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / norm if norm > 1e-9 * count else float("nan")


def _peak_between(values: npt.NDArray[np.float64], best: int) -> float:
    """Offset of a parabola's top from sample ``best``, in samples, within half a sample."""
    if not 0 < best < len(values) - 1:
        return 0.0
    left, top, right = (float(value) for value in values[best - 1 : best + 2])
    bend = left - 2 * top + right
    if not np.isfinite(bend) or bend >= 0:
        return 0.0
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))


def on_grid(times_seconds: npt.NDArray[np.float64], values: Signal, duration_seconds: float) -> Signal:
    """Linear interpolation at ``CURVE_RATE_HZ`` from 0; NaN stays NaN around where it was."""
    grid = np.arange(0.0, duration_seconds, 1 / CURVE_RATE_HZ)
    if not len(times_seconds):
        return np.full(len(grid), np.nan, np.float32)
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(grid), np.nan, np.float32)
    filled = np.interp(grid, times_seconds[known], values[known])
    nearest = np.searchsorted(times_seconds, grid, side="right") - 1
    filled[~known[np.clip(nearest, 0, len(known) - 1)]] = np.nan
    return filled.astype(np.float32)


def moved(curve: Signal, rate_hz: float, delay_seconds: float) -> Signal:
    """The curve ``delay_seconds`` later (earlier when negative), as long as before; its ends are held."""
    places = np.arange(len(curve)) - delay_seconds * rate_hz
    return np.interp(places, np.arange(len(curve)), curve).astype(np.float32)
