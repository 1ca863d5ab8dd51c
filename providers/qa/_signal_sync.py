"""How well two signals over time agree, and how late one is: correlation at every lag. Arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]

CURVE_RATE_HZ = 100.0  # curves are compared on this grid; a parabola finds lags between its points
MAX_LAG_SECONDS = 0.5


@dataclass(frozen=True)
class Agreement:
    """The best Pearson correlation within the lags tried; ``lag_seconds`` > 0 when the first signal is late."""

    correlation: float
    lag_seconds: float


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
    return Agreement(float(found[best]), (best - reach + _peak_between(found, best)) / rate_hz)


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
