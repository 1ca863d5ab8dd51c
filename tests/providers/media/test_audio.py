"""Sound as samples: any rate, any layout, from the first sample, in bounded pieces."""

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ProviderRejected
from providers._media.audio import read_audio, read_audio_blocks
from providers._media.probe import probe
from tests.media import make_sound, make_tone, make_video, shift_audio, tone, truncate


def loudest_frequency_hz(samples: np.ndarray, sample_rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * sample_rate_hz / len(samples))


def click() -> np.ndarray:
    """One second at 48 kHz, silent but for 10 ms around 0.505 s whose middle is the loudest."""
    sound = np.zeros((1, 48_000), np.float32)
    sound[0, 24_000:24_480] = np.hanning(480) * np.cos(2 * np.pi * 1000 * (np.arange(480) - 240) / 48_000)
    return sound


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_layout_becomes_sixteen_kilohertz_mono(rate_hz: int, channels: int, tmp_path: Path) -> None:
    path = make_sound(tmp_path / "x.wav", np.repeat(tone(1, rate_hz, level=0.3), channels, axis=0), rate_hz)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(16_000, abs=2)
    assert np.abs(samples).max() <= 1
    assert loudest_frequency_hz(samples, 16_000) == pytest.approx(440, abs=2)
    info = probe(path).audio
    assert (info.sample_rate_hz, info.channels, info.sample_count) == (rate_hz, channels, rate_hz)
    assert info.duration_seconds == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".ogg"])
def test_every_accepted_codec_keeps_length_and_place(suffix: str, tmp_path: Path) -> None:
    """The click stays where it was: encoders' lead-in is skipped. 25 ms: the end is padded to a whole packet."""
    sound = click()
    samples = read_audio(make_sound(tmp_path / f"x{suffix}", sound, 48_000))
    assert len(samples) / 16_000 == pytest.approx(1, abs=0.025)
    assert np.argmax(np.abs(samples)) / 16_000 == pytest.approx(0.505, abs=0.002)


def test_blocks_join_to_the_whole(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "x.wav", seconds=2.3, channels=2)
    blocks = list(read_audio_blocks(path, block_seconds=0.5))
    assert [block.shape for block in blocks] == [(2, 24_000)] * 4 + [(2, 14_400)]
    expected = tone(2.3, 48_000, 2)
    assert np.abs(np.concatenate(blocks, axis=1) - expected).max() < 1e-4  # 16-bit steps


def test_surround_is_mixed_down_to_stereo(tmp_path: Path) -> None:
    blocks = list(read_audio_blocks(make_tone(tmp_path / "x.wav", channels=6)))
    assert {len(block) for block in blocks} == {2}
    assert np.abs(np.concatenate(blocks, axis=1)).max() <= 1


def test_mono_mix_halves_one_sided_sound(tmp_path: Path) -> None:
    stereo = tone(0.5, 16_000, 2)
    stereo[1] = 0
    mixed = read_audio(make_sound(tmp_path / "x.wav", stereo, 16_000))
    assert np.abs(mixed).max() == pytest.approx(0.25, abs=0.01)


def test_sound_of_a_video_starts_at_its_first_sample(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", audio=tone(1, 48_000), audio_start_seconds=0.3)
    assert probe(path).audio.start_seconds == pytest.approx(0.3, abs=0.03)
    assert np.abs(read_audio(path)[:1600]).max() > 0.4


def test_hole_in_a_recording_becomes_silence(tmp_path: Path) -> None:
    """A damaged stretch of FLAC does not decode; what follows keeps its place."""
    sound = tone(2, 16_000)
    path = make_sound(tmp_path / "x.flac", sound, 16_000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    samples = read_audio(path)
    assert len(samples) == pytest.approx(32_000, abs=16)
    assert probe(path).audio.duration_seconds == pytest.approx(2, abs=0.001)
    assert np.abs(samples[-8000:] - sound[0, -8000:]).max() < 1e-3
    assert (samples[15_000:20_000] == 0).any()


def test_shifted_sound_is_shifted(tmp_path: Path) -> None:
    """The maker that quality checks rely on: 300 ms later, same length."""
    sound = click()
    source = make_video(tmp_path / "x.mp4", audio=sound)
    for shift in (0.3, -0.3):
        shifted = read_audio(shift_audio(source, tmp_path / "shifted.mp4", shift))
        found = int(np.argmax(np.abs(shifted))) - int(np.argmax(np.abs(read_audio(source))))
        assert found / 16_000 == pytest.approx(shift, abs=0.001)


def test_cut_off_sound_gives_what_is_there(tmp_path: Path) -> None:
    whole = make_tone(tmp_path / "x.wav", seconds=2)
    assert len(read_audio(truncate(whole, tmp_path / "cut.wav", 0.5))) == pytest.approx(16_000, abs=100)


def test_sound_without_samples_is_refused(tmp_path: Path) -> None:
    path = truncate(make_tone(tmp_path / "x.wav"), tmp_path / "header.wav", 78 / 96_078)
    with pytest.raises(ProviderRejected, match="none decodes"):
        read_audio(path)
    with pytest.raises(ProviderRejected, match="nothing decodes"):
        probe(path)


def test_video_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected, match="without an audio stream"):
        read_audio(make_video(tmp_path / "x.mp4", seconds=0.1))
