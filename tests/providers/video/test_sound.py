"""The delivered sound, measured by decoding it again."""

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ProviderRejected
from contracts.production import DeliveryProfile
from providers._media.loudness import measure
from providers._media.probe import probe
from providers.video._sound import LoudnessLimits, Sound, encode_as_it_is, encode_to_loudness
from tests.providers.video.makers import lag_seconds, make_sound, speechlike

WEB = DeliveryProfile()


def delivered(source: Path, tmp_path: Path, profile: DeliveryProfile = WEB) -> Sound:
    return encode_to_loudness(source, tmp_path / "sound.mp4", profile, LoudnessLimits(), lambda share, note: None)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (22_050, 2), (44_100, 1), (48_000, 6), (96_000, 2)])
def test_any_rate_and_layout_becomes_48_khz_aac_in_time(tmp_path: Path, rate_hz: int, channels: int) -> None:
    voice = speechlike(2.0, rate_hz)
    source = make_sound(tmp_path / "voice.wav", np.stack([voice] * channels) / channels, rate_hz)
    sound = delivered(source, tmp_path)
    info = probe(sound.path)
    assert info.audio is not None
    assert (info.audio.codec, info.audio.sample_rate_hz) == ("aac", 48_000)
    assert info.audio.channels == min(channels, 2)
    assert info.audio.start_seconds == 0
    assert sound.duration_seconds == pytest.approx(2.0, abs=0.001)
    assert info.audio.duration_seconds == pytest.approx(2.0, abs=0.022)  # the last AAC frame is filled up
    assert abs(lag_seconds(source, sound.path)) < 0.001


@pytest.mark.parametrize("level", [0.02, 0.1, 0.9])
def test_loudness_reaches_the_target_and_peaks_stay_below_theirs(tmp_path: Path, level: float) -> None:
    source = make_sound(tmp_path / "voice.wav", speechlike(4.0, level=level)[None])
    sound = delivered(source, tmp_path)
    after = measure(sound.path)
    assert after == sound.loudness
    assert after.integrated_lufs == pytest.approx(WEB.loudness_lufs, abs=0.5)
    assert after.true_peak_dbtp is not None
    assert after.true_peak_dbtp <= WEB.true_peak_dbtp
    assert sound.notes == ()


def test_real_speech_reaches_the_target_under_a_low_limit_and_bit_rate(samples: Path, tmp_path: Path) -> None:
    profile = DeliveryProfile(loudness_lufs=-15, true_peak_dbtp=-2, audio_bit_rate_bps=64_000)
    sound = delivered(samples / "voice_short.wav", tmp_path, profile)
    assert sound.loudness.integrated_lufs == pytest.approx(-15, abs=0.5)
    assert sound.loudness.true_peak_dbtp is not None
    assert sound.loudness.true_peak_dbtp <= -2
    assert abs(lag_seconds(samples / "voice_short.wav", sound.path)) < 0.001


def test_clipped_sound_comes_out_below_the_limit(tmp_path: Path) -> None:
    clipped = np.clip(speechlike(3.0, level=20.0), -1, 1)
    source = make_sound(tmp_path / "voice.wav", clipped[None])
    before, sound = measure(source), delivered(source, tmp_path)
    assert before.true_peak_dbtp is not None
    assert before.true_peak_dbtp > 0
    assert sound.loudness.true_peak_dbtp is not None
    assert sound.loudness.true_peak_dbtp <= WEB.true_peak_dbtp


def test_silence_is_not_amplified(tmp_path: Path) -> None:
    sound = delivered(make_sound(tmp_path / "silence.wav", np.zeros((1, 48_000), np.float32)), tmp_path)
    assert sound.loudness.integrated_lufs is None
    assert sound.loudness.true_peak_dbtp is None
    assert "silent" in sound.notes[0]


def test_faint_noise_is_not_amplified(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).standard_normal((1, 96_000)).astype(np.float32) * 6e-4
    sound = delivered(make_sound(tmp_path / "noise.wav", noise), tmp_path)
    assert sound.loudness.true_peak_dbtp is None or sound.loudness.true_peak_dbtp < -50
    assert "almost silent" in sound.notes[0]


def test_a_loudness_out_of_reach_is_said(tmp_path: Path) -> None:
    clicks = np.random.default_rng(3).standard_normal((1, 144_000)).astype(np.float32) * 0.003
    clicks[0, ::24_000] = 0.9
    sound = delivered(make_sound(tmp_path / "clicks.wav", clicks), tmp_path)
    assert sound.loudness.integrated_lufs is not None
    assert sound.loudness.integrated_lufs < WEB.loudness_lufs - 3
    assert sound.loudness.true_peak_dbtp is not None
    assert sound.loudness.true_peak_dbtp <= WEB.true_peak_dbtp
    assert "expected -16.0" in sound.notes[0]


def test_a_very_quiet_recording_is_raised_only_so_far(tmp_path: Path) -> None:
    sound = delivered(make_sound(tmp_path / "voice.wav", speechlike(3.0, level=0.005)[None]), tmp_path)
    assert sound.loudness.integrated_lufs == pytest.approx(-26.6, abs=0.5)  # recorded at -56.5, raised by 30
    assert "noise" in sound.notes[0]


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    voice = speechlike(2.0)[None].copy()
    voice[0, 40_000:40_010] = np.nan
    sound = delivered(make_sound(tmp_path / "voice.wav", voice), tmp_path)
    assert sound.loudness.integrated_lufs == pytest.approx(-16, abs=0.5)


def test_as_it_is_keeps_the_level(tmp_path: Path) -> None:
    source = make_sound(tmp_path / "voice.wav", speechlike(2.0, level=0.02)[None])
    sound = encode_as_it_is(source, tmp_path / "sound.mp4", WEB)
    before = measure(source).integrated_lufs
    assert before is not None
    assert sound.loudness.integrated_lufs == pytest.approx(before, abs=0.3)


def test_equal_sounds_give_equal_bytes(tmp_path: Path) -> None:
    source = make_sound(tmp_path / "voice.wav", speechlike(1.0)[None])
    (tmp_path / "again").mkdir()
    first, second = delivered(source, tmp_path), delivered(source, tmp_path / "again")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_a_file_without_samples_is_rejected(tmp_path: Path) -> None:
    empty = make_sound(tmp_path / "empty.wav", np.zeros((1, 0), np.float32))
    with pytest.raises(ProviderRejected):
        delivered(empty, tmp_path)
