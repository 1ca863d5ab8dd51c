"""Sound on disk is sliced as an array is; and what holds it keeps little of it in memory."""

import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ProviderFailed
from providers._media.audio import read_audio
from providers._media.sound_on_disk import SoundOnDisk, read_audio_to_disk
from tests.media import make_tone

PARTS = (slice(None), slice(0, 5), slice(990, 2_000), slice(700, 10), slice(-20, None), slice(3, 900, 7), slice(5, 5))


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_it_is_sliced_as_an_array_is(part: slice) -> None:
    samples = np.random.default_rng(5).uniform(-1, 1, 1_000).astype(np.float32)
    sound = SoundOnDisk.of([samples[:400], samples[400:400], samples[400:]])
    assert sound.size == 1_000
    np.testing.assert_array_equal(sound[part], samples[part])


@pytest.mark.requirement("X3")
def test_a_file_read_to_disk_sounds_as_one_read_to_memory(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "tone.wav", seconds=2.3)
    np.testing.assert_array_equal(read_audio_to_disk(path)[:], read_audio(path))


def test_a_full_disk_is_told_in_words() -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(ProviderFailed, match=r"cannot be kept in .* \(File too large\)"):
            SoundOnDisk.of([np.zeros(1_000, np.float32)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_its_file_has_no_name_and_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = set(Path("/proc/self/fd").iterdir())
    sound = SoundOnDisk.of([np.zeros(10, np.float32)])
    assert len(set(Path("/proc/self/fd").iterdir()) - opened) == 1
    assert list(tmp_path.iterdir()) == []
    del sound
    assert set(Path("/proc/self/fd").iterdir()) <= opened
