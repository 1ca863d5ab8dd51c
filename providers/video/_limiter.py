"""A look-ahead limiter for true peaks, with no delay. Streaming, numpy only.

The file is at hand, so the gain may fall *before* a peak: it is the minimum over the neighbourhood of every sample,
smoothed by a window no wider than that neighbourhood, hence never above what a peak asks for, and never a step.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float64]

REACH = 240  # samples each side over which the gain falls and rises: 5 ms at 48 kHz
OVERSAMPLING = 4  # BS.1770-4, annex 2
TAPS_PER_SIDE = 12
_CONTEXT = 2 * REACH + TAPS_PER_SIDE


def limit_true_peak(blocks: Iterable[Samples], ceiling: float) -> Iterator[Samples]:
    """The same samples, as many, at the same time, with inter-sample peaks held at ``ceiling`` (linear).

    Args:
        blocks: float32, shape (channels, samples); one gain is used for all channels.
        ceiling: above 0; 1.0 is full scale.
    """
    buffer: Samples | None = None
    for block in blocks:
        if buffer is None:
            buffer = np.zeros((block.shape[0], _CONTEXT), np.float32)
        buffer = np.concatenate([buffer, block], axis=1)
        if buffer.shape[1] > 2 * _CONTEXT:
            yield _limited_middle(buffer, ceiling)
            buffer = buffer[:, -2 * _CONTEXT :]
    if buffer is not None:
        rest = np.concatenate([buffer, np.zeros((buffer.shape[0], _CONTEXT), np.float32)], axis=1)
        yield _limited_middle(rest, ceiling)


def _limited_middle(buffer: Samples, ceiling: float) -> Samples:
    """All but ``_CONTEXT`` samples at either end."""
    middle = buffer[:, _CONTEXT:-_CONTEXT]
    peaks = true_peaks(buffer)
    if float(peaks.max(initial=0.0)) <= ceiling:
        return middle
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-12))
    gains = _smoothed(_sliding_minimum(wanted, 2 * REACH + 1))
    return (middle * gains[TAPS_PER_SIDE : TAPS_PER_SIDE + middle.shape[1]]).astype(np.float32)


def true_peaks(samples: Samples) -> Gains:
    """Largest magnitude at and around each sample, four times oversampled, over all channels: shape (samples,)."""
    peaks: Gains = np.abs(samples).max(axis=0).astype(np.float64)
    for phase in _PHASES:
        for channel in samples:
            between = np.abs(np.convolve(channel, phase, mode="full")[TAPS_PER_SIDE:][: samples.shape[1]])
            peaks = np.maximum(peaks, between)
            peaks[1:] = np.maximum(peaks[1:], between[:-1])
    return peaks


def _interpolators() -> list[npt.NDArray[np.float64]]:
    """Windowed-sinc filters for the points 1/4, 2/4 and 3/4 after each sample."""
    position = np.arange(-TAPS_PER_SIDE, TAPS_PER_SIDE)  # convolution runs backwards: tap k sees sample n - k
    window = np.kaiser(2 * TAPS_PER_SIDE + 1, 5.0)
    grid = np.linspace(-TAPS_PER_SIDE, TAPS_PER_SIDE, 2 * TAPS_PER_SIDE + 1)
    filters: list[npt.NDArray[np.float64]] = []
    for step in range(1, OVERSAMPLING):
        distance = position + step / OVERSAMPLING
        taps = np.sinc(distance) * np.interp(distance, grid, window)
        filters.append(taps / taps.sum())
    return filters


_PHASES = _interpolators()


def _sliding_minimum(values: Gains, width: int) -> Gains:
    """Minimum over each full window: shape (n - width + 1,), by doubling."""
    span = 1
    while 2 * span <= width:
        values = np.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return np.minimum(values[: values.size - rest], values[rest:])


def _smoothed(values: Gains) -> Gains:
    """Mean over a triangle ``2 * REACH + 1`` wide: shape (n - 2 * REACH,)."""
    return _box_mean(_box_mean(values, REACH + 1), REACH + 1)


def _box_mean(values: Gains, width: int) -> Gains:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return (sums[width:] - sums[:-width]) / width
