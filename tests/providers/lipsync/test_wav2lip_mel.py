"""What the network hears: the original's mel spectrogram and windows, and what mends them."""

from pathlib import Path

import numpy as np
import pytest

from providers._media.audio import read_audio
from providers.lipsync._wav2lip_mel import (
    SILENCE,
    MelPadding,
    mel_spectrogram,
    original_window_starts,
    quiet_as_silence,
    window,
    window_starts,
)
from tests.providers.lipsync.golden_wav2lip import golden_json, golden_mel

AS_THE_ORIGINAL = 1e-4  # of -4..4


@pytest.mark.requirement("S56")
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_mel_is_the_originals(samples: Path, padding: MelPadding) -> None:
    mel = mel_spectrogram(read_audio(samples / "voice.wav"), padding)
    golden = golden_mel(padding)
    assert mel.shape == golden.shape
    assert np.abs(mel - golden).max() < AS_THE_ORIGINAL


def test_the_two_paddings_differ_at_the_ends_only(samples: Path) -> None:
    voice = read_audio(samples / "voice.wav")
    apart = np.abs(mel_spectrogram(voice, "zeros") - mel_spectrogram(voice, "reflect")).max(axis=0)
    assert apart[:2].max() > 0.1
    assert apart[2:-2].max() == 0


def test_long_sound_is_computed_in_blocks_without_a_seam(samples: Path) -> None:
    voice = read_audio(samples / "voice.wav")
    twice = mel_spectrogram(np.concatenate([voice, voice]))
    hops = len(voice) // 200
    again = mel_spectrogram(voice[200 * (hops // 2) :])
    assert np.abs(mel_spectrogram(voice)[:, hops // 2 + 4 : -4] - again[:, 4:-4]).max() < AS_THE_ORIGINAL
    assert np.abs(twice[:, : hops - 4] - mel_spectrogram(voice)[:, : hops - 4]).max() < AS_THE_ORIGINAL


@pytest.mark.parametrize("count", [0, 1, 150, 801])
def test_short_sound_has_a_spectrogram(count: int) -> None:
    for padding in ("zeros", "reflect"):
        mel = mel_spectrogram(np.full(count, 0.1, np.float32), padding)
        assert mel.shape == (80, 1 + count // 200)
        assert np.isfinite(mel).all()


@pytest.mark.requirement("S56")
@pytest.mark.parametrize("case", golden_json("windows.json"), ids=lambda case: f"{case['fps']:.2f}")
def test_windows_are_the_originals(case: dict[str, float]) -> None:
    assert original_window_starts(int(case["mel_columns"]), case["fps"]) == case["starts"]


@pytest.mark.parametrize("case", golden_json("windows.json"), ids=lambda case: f"{case['fps']:.2f}")
def test_mended_windows_agree_until_the_originals_last(case: dict[str, list[int]]) -> None:
    whole = case["starts"][:-1]
    assert window_starts(len(whole), float(case["fps"])) == whole  # type: ignore[arg-type]


def test_windows_do_not_drift_in_an_hour_of_ntsc() -> None:
    frames = 3600 * 30_000 // 1001
    assert window_starts(frames + 1, 29.97)[-1] == frames * 80 * 1001 // 30_000


def test_a_window_beyond_the_sound_is_filled_with_silence() -> None:
    mel = np.ones((80, 20), np.float32)
    assert (window(mel, 4) == 1).all()
    assert (window(mel, 10)[:, :10] == 1).all()
    assert (window(mel, 10)[:, 10:] == SILENCE).all()
    assert (window(mel, -3)[:, :3] == SILENCE).all()
    assert (window(mel, -3)[:, 3:] == 1).all()
    assert (window(mel, 40) == SILENCE).all()


def test_faint_noise_between_words_is_heard_as_silence() -> None:
    voice = np.random.default_rng(3).normal(0, 1, 48_000).astype(np.float32)
    voice[:16_000] *= 0.1
    voice[16_000:32_000] *= 0.0005
    voice[32_000:] *= 0.1
    mel = mel_spectrogram(voice)
    held = quiet_as_silence(mel, voice, -50)
    assert (held[:, 100:140] == SILENCE).all()
    assert (mel[:, 100:140] > SILENCE).mean() > 0.5
    assert np.array_equal(held[:, :80], mel[:, :80])
    assert np.array_equal(held[:, 162:], mel[:, 162:])
