"""Loudness against levels known from the standard."""

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ProviderRejected
from providers._media.loudness import Loudness, LoudnessMeter, measure, measure_blocks

TIME = np.arange(48_000 * 3) / 48_000


def tone(level: float, channels: int, hz: float = 997.0) -> np.ndarray:
    return np.stack([level * np.sin(2 * np.pi * hz * TIME)] * channels).astype(np.float32)


def test_a_full_scale_tone_in_both_channels_measures_0_lufs_and_in_one_3_less() -> None:
    assert measure_blocks([tone(1.0, 2)]).integrated_lufs == pytest.approx(0.0, abs=0.1)  # EBU Tech 3341, test 1
    assert measure_blocks([tone(1.0, 1)]).integrated_lufs == pytest.approx(-3.01, abs=0.1)


def test_true_peak_finds_what_lies_between_samples() -> None:
    fade = np.minimum(1, np.minimum(TIME, TIME[::-1]) * 10)  # an abrupt start would overshoot by itself
    between = (fade * 0.5 * np.sin(2 * np.pi * 12_000 * TIME + np.pi / 4)).astype(np.float32)
    assert np.abs(between).max() < 0.36
    assert measure_blocks([between[None]]).true_peak_dbtp == pytest.approx(-6.02, abs=0.2)  # EBU Tech 3341, test 15


def test_a_peak_in_the_last_moment_counts() -> None:
    ending = tone(0.1, 1)
    ending = np.concatenate([ending, np.full((1, 30), 0.9, np.float32)], axis=1)
    peak = measure_blocks([ending]).true_peak_dbtp
    assert peak is not None
    assert peak > -2


def test_block_size_does_not_matter() -> None:
    whole = tone(0.2, 2)
    pieces = [whole[:, start : start + 777] for start in range(0, whole.shape[1], 777)]
    assert measure_blocks(pieces) == measure_blocks([whole])


def test_silence_has_no_loudness() -> None:
    silence = measure_blocks([np.zeros((2, 48_000), np.float32)])
    assert silence == Loudness(None, None, None, 48_000)


def test_too_short_a_sound_has_a_peak_and_no_loudness() -> None:
    blip = measure_blocks([tone(0.5, 1)[:, :9_600]])
    assert blip.integrated_lufs is None
    assert blip.true_peak_dbtp == pytest.approx(-6.02, abs=0.2)


def test_a_meter_without_samples_measures_nothing() -> None:
    assert LoudnessMeter(1).result() == Loudness(None, None)
    assert measure_blocks([]) == Loudness(None, None)


def test_a_real_recording_measures_as_a_speaker_would(samples: Path) -> None:
    voice = measure(samples / "voice.wav")
    assert voice.integrated_lufs == pytest.approx(-24.7, abs=0.3)
    assert voice.range_lu == pytest.approx(5.3, abs=0.5)


def test_a_text_is_rejected(samples: Path) -> None:
    with pytest.raises(ProviderRejected):
        measure(samples / "voice.txt")
