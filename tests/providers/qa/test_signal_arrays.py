"""The measuring parts on arrays: lags, shifts, holes, clipping."""

from itertools import pairwise

import numpy as np
import pytest

from contracts.artifacts import Span
from providers.qa._signal_sound import LISTEN_RATE_HZ, ClippedPlaces, Sound, listen, true_spans
from providers.qa._signal_source import compare
from providers.qa._signal_sync import best_agreement, moved, on_grid

RATE_HZ = 100.0


def wandering(seconds: float, seed: int = 1, rate_hz: float = RATE_HZ) -> np.ndarray:
    """A smooth random curve, like a mouth's."""
    steps = np.random.default_rng(seed).normal(size=round(seconds * rate_hz))
    return np.convolve(steps, np.hanning(round(0.16 * rate_hz)), "same").astype(np.float32)


def babble(seconds: float, seed: int = 1) -> np.ndarray:
    """float32 noise in syllables at LISTEN_RATE_HZ, with pauses."""
    generator = np.random.default_rng(seed)
    count = round(seconds * LISTEN_RATE_HZ)
    syllables = np.repeat(generator.uniform(0, 1, count // 2000 + 1) > 0.3, 2000)[:count]
    coloured = np.convolve(generator.normal(size=count), np.ones(12) / 12, "same")
    return (0.3 * coloured * syllables).astype(np.float32)


def heard(samples: np.ndarray) -> Sound:
    return listen([samples[None]])


class TestAgreement:
    @pytest.mark.parametrize("lag_seconds", [-0.3, -0.125, 0.0, 0.044, 0.3])
    def test_lag_is_found_between_samples(self, lag_seconds: float) -> None:
        curve = wandering(8)
        found = best_agreement(moved(curve, RATE_HZ, lag_seconds), curve, RATE_HZ)
        assert found is not None
        assert found.lag_seconds == pytest.approx(lag_seconds, abs=0.004)
        assert found.correlation > 0.97

    def test_sign_and_scale_of_the_measure_do_not_matter_but_direction_does(self) -> None:
        curve = wandering(8)
        found = best_agreement(-curve, curve, RATE_HZ)
        assert found is not None
        assert found.correlation < 0.6

    def test_unseen_stretch_is_left_out(self) -> None:
        curve = wandering(8)
        seen = curve.copy()
        seen[200:400] = np.nan
        found = best_agreement(seen, curve, RATE_HZ)
        assert found is not None
        assert found.correlation == pytest.approx(1.0, abs=1e-6)

    def test_unrelated_curves_stay_under_the_limit_for_a_lag(self) -> None:
        found = [best_agreement(wandering(8, seed), wandering(8, seed + 50), RATE_HZ) for seed in range(20)]
        assert max(agreement.correlation for agreement in found if agreement) < 0.5

    def test_what_does_not_vary_agrees_with_nothing(self) -> None:
        assert best_agreement(np.zeros(800, np.float32), wandering(8), RATE_HZ) is None
        assert best_agreement(np.full(800, np.nan, np.float32), wandering(8), RATE_HZ) is None

    def test_too_short_curves_are_not_compared(self) -> None:
        assert best_agreement(wandering(0.5), wandering(0.5), RATE_HZ) is None


def test_grid_keeps_unseen_frames_unseen() -> None:
    times = np.arange(10) / 25
    values = np.arange(10, dtype=np.float32)
    values[4:6] = np.nan
    grid = on_grid(times, values, 0.4)
    assert len(grid) == 40
    assert np.isnan(grid[17:23]).all()
    assert grid[2] == pytest.approx(0.5)
    assert np.isfinite(grid[25:]).all()


class TestListening:
    @pytest.mark.parametrize("block_samples", [137, 800, 16_000, 10**6])
    def test_blocks_do_not_matter(self, block_samples: int) -> None:
        samples = babble(2.3)
        edges = [*range(0, len(samples), block_samples), len(samples)]
        once, twice = heard(samples), listen(samples[None, start:end] for start, end in pairwise(edges))
        np.testing.assert_array_equal(once.low[:], twice.low[:])
        np.testing.assert_array_equal(once.level_db, twice.level_db)
        np.testing.assert_array_equal(once.speech_db, twice.speech_db)
        assert once.duration_seconds == twice.duration_seconds == pytest.approx(2.3)

    def test_nothing_is_silent(self) -> None:
        assert listen([]).duration_seconds == 0
        assert heard(np.zeros(16_000, np.float32)).is_silent.all()
        assert not heard(np.zeros(16_000, np.float32)).is_active.any()

    def test_envelope_rises_where_somebody_speaks(self) -> None:
        samples = np.concatenate([np.zeros(16_000, np.float32), babble(1), np.zeros(16_000, np.float32)])
        envelope = heard(samples).envelope()
        assert envelope[:90].max() < 0.1 < envelope[110:190].mean()

    @pytest.mark.parametrize(("lag_seconds", "is_sure"), [(0.1, True), (None, False)])
    def test_a_lag_is_as_sure_as_its_peak_stands_out(self, lag_seconds: float | None, is_sure: bool) -> None:
        curve = wandering(8)
        other = wandering(8, 71) if lag_seconds is None else moved(curve, RATE_HZ, lag_seconds)
        found = best_agreement(other, curve, RATE_HZ)
        assert found is not None
        assert (found.confidence > 0.95) == is_sure


class TestClipping:
    @pytest.mark.parametrize("block_samples", [3, 7, 64, 1000])
    def test_each_run_is_found_once_wherever_blocks_end(self, block_samples: int) -> None:
        samples = np.full((2, 1000), 0.5, np.float32)
        samples[0, 100:110] = 1.0
        samples[1, 400:403] = -1.0
        samples[1, 700:702] = 1.0  # two samples: a peak, no clipping
        places = ClippedPlaces(1000)
        for start in range(0, 1000, block_samples):
            places.add(samples[:, start : start + block_samples])
        assert [(span.start_seconds, span.end_seconds_exclusive) for span in places.spans()] == [
            (0.1, 0.11),
            (0.4, 0.403),
        ]


class TestComparison:
    @pytest.mark.parametrize("shift_seconds", [-1.5, -0.3, -0.01, 0.0, 0.02, 0.3, 2.0])
    def test_shift_is_found_to_the_millisecond(self, shift_seconds: float) -> None:
        source = babble(8)
        later = round(shift_seconds * LISTEN_RATE_HZ)
        finished = np.roll(np.pad(source, 3 * LISTEN_RATE_HZ), later)[3 * LISTEN_RATE_HZ :]
        comparison = compare(heard(finished), heard(source))
        assert comparison.shift_seconds == pytest.approx(shift_seconds, abs=0.001)
        assert comparison.same_share == 1.0

    def test_gain_and_noise_do_not_matter(self) -> None:
        source = babble(6)
        noise = np.random.default_rng(9).normal(size=source.size).astype(np.float32) * 0.003
        comparison = compare(heard(source * np.float32(0.2) + noise), heard(source))
        assert (comparison.same_share, comparison.shift_seconds) == (1.0, 0.0)

    def test_gap_put_in_half_way_is_a_shift(self) -> None:
        source = babble(8)
        gap = np.zeros(round(0.3 * LISTEN_RATE_HZ), np.float32)
        comparison = compare(heard(np.concatenate([source[:64_000], gap, source[64_000:]])), heard(source))
        assert comparison.shift_seconds == pytest.approx(0.3, abs=0.001)

    def test_other_recording_is_not_recognised(self) -> None:
        comparison = compare(heard(babble(8, seed=2)), heard(babble(8, seed=3)))
        assert comparison.same_share == 0.0
        assert comparison.shift_seconds is None

    def test_hole_is_found_where_it_is_heard_even_when_the_sound_is_shifted(self) -> None:
        source = babble(8)
        finished = np.concatenate([np.zeros(8_000, np.float32), source])
        finished[3 * LISTEN_RATE_HZ : 4 * LISTEN_RATE_HZ] = 0
        comparison = compare(heard(finished), heard(source))
        (hole,) = comparison.silences
        assert (hole.start_seconds, hole.end_seconds_exclusive) == pytest.approx((3, 4), abs=0.15)
        assert comparison.shift_seconds == pytest.approx(0.5, abs=0.001)

    def test_pauses_of_the_source_are_no_holes(self) -> None:
        source = babble(8)
        source[2 * LISTEN_RATE_HZ : 4 * LISTEN_RATE_HZ] = 0
        assert compare(heard(source), heard(source)).silences == ()

    def test_recording_shorter_than_a_window_is_compared(self) -> None:
        source = babble(0.7, seed=4)
        assert compare(heard(source), heard(source)).same_share == 1.0

    def test_nothing_to_compare_is_no_verdict(self) -> None:
        silent = heard(np.zeros(32_000, np.float32))
        assert compare(silent, silent).same_share is None
        assert compare(listen([]), listen([])).shift_seconds is None


def test_flags_become_half_open_spans() -> None:
    flags = np.array([True, True, False, False, True])
    assert true_spans(flags, 10.0) == (
        Span(start_seconds=0.0, end_seconds_exclusive=0.2),
        Span(start_seconds=0.4, end_seconds_exclusive=0.5),
    )
