"""The limiter: peaks between samples are held, nothing moves in time, what is below stays as it is."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from providers.video._limiter import limit_true_peak, true_peaks

Samples = npt.NDArray[np.float32]


def in_blocks(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, samples.shape[1], size):
        yield samples[:, start : start + size]


def limited(samples: Samples, ceiling: float, block_size: int = 48_000) -> Samples:
    return np.concatenate(list(limit_true_peak(in_blocks(samples, block_size), ceiling)), axis=1)


@pytest.fixture
def loud() -> Samples:
    """Three seconds of stereo noise in bursts, peaks near 1.5."""
    noise = np.random.default_rng(1).standard_normal((2, 144_000)) * 0.3
    return (noise * (np.arange(144_000) % 48_000 < 24_000)).astype(np.float32)


def test_peaks_between_samples_are_seen() -> None:
    time = np.arange(48_000) / 48_000
    quarter_rate = (0.5 * np.sin(2 * np.pi * 12_000 * time + np.pi / 4)).astype(np.float32)
    assert np.abs(quarter_rate).max() == pytest.approx(0.354, abs=0.001)
    assert true_peaks(quarter_rate[None])[100:-100].max() == pytest.approx(0.5, abs=0.001)


def test_true_peaks_stay_under_the_ceiling(loud: Samples) -> None:
    assert true_peaks(loud).max() > 1.2
    assert true_peaks(limited(loud, 0.5)).max() < 0.5 * 1.001  # 0.01 dB: the interpolator sees gains it did not set


def test_no_sample_is_lost_moved_or_made_louder(loud: Samples) -> None:
    quiet_bed = loud + 0.001
    result = limited(quiet_bed, 0.5)
    assert result.shape == loud.shape
    assert np.all(np.abs(result) <= np.abs(quiet_bed) + 1e-6)
    between_bursts = slice(30_000, 47_000)
    assert np.array_equal(result[:, between_bursts], quiet_bed[:, between_bursts])


def test_gain_changes_smoothly() -> None:
    click = np.full((1, 9_600), 0.25, np.float32)
    click[0, 4_800] = 1.0
    gain = limited(click, 0.5)[0] / click[0]
    assert gain[4_800] <= 0.5
    assert np.abs(np.diff(gain)).max() < 0.01  # at most a hundredth a sample: no click of its own


def test_what_is_below_the_ceiling_is_not_touched(loud: Samples) -> None:
    quiet = loud * np.float32(0.1)
    assert np.array_equal(limited(quiet, 0.9), quiet)


@pytest.mark.parametrize("block_size", [1, 37, 481, 5_000])
def test_block_size_does_not_matter(loud: Samples, block_size: int) -> None:
    short = loud[:, : 3 * block_size + 700]
    assert np.allclose(limited(short, 0.4, block_size), limited(short, 0.4), atol=1e-6)


def test_nothing_gives_nothing() -> None:
    assert list(limit_true_peak(iter(()), 0.5)) == []
