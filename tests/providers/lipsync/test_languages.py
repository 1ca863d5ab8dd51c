"""The mouth follows speech of any language: by phones heard without words, and by the sound's features alone."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from providers._media.audio import read_audio_blocks
from providers._speech.features import mouth_curve
from providers._speech.phones import allphone
from providers._speech.visemes import motion_from_audio, motion_from_curve, mouth_motion

SPEECH = Path(__file__).parents[2] / "samples" / "speech"
LANGUAGES = ("de", "fr", "es", "cmn")
RATE_HZ = 50.0
SAME_MOUTH = 0.55  # r of two ways to hear one recording: 0.70 to 0.81 on these; of two recordings: below 0.4
REACH = 5  # frames: lead and blending may move an edge so far
Curve = npt.NDArray[np.float32]


@cache
def heard(language: str) -> tuple[Curve, Curve, Curve, npt.NDArray[np.bool_]]:
    """Opening by phones, by features, by the sound's bands; and where it is silent for a while."""
    blocks = read_audio_blocks(SPEECH / f"{language}.flac", sample_rate_hz=16_000, mono=True)
    samples = np.concatenate([block[0] for block in blocks])
    seconds = len(samples) / 16_000
    by_bands = motion_from_audio(samples, 16_000, RATE_HZ).opening
    by_phones = mouth_motion(allphone(samples), seconds, RATE_HZ, heard=by_bands).opening
    by_features = motion_from_curve(mouth_curve(samples), seconds, RATE_HZ, 0.03).opening
    hop = round(16_000 / RATE_HZ)
    quiet = [bool(np.abs(samples[n * hop : (n + 1) * hop]).max(initial=0) < 0.002) for n in range(len(by_phones))]
    silent = np.array([all(quiet[max(0, n - REACH) : n + REACH + 1]) for n in range(len(quiet))])
    return by_phones, by_features, by_bands, silent


@pytest.mark.parametrize("language", LANGUAGES)
def test_phones_and_features_tell_the_same_mouth(language: str) -> None:
    by_phones, by_features, by_bands, _ = heard(language)
    assert np.corrcoef(by_phones, by_features)[0, 1] > SAME_MOUTH
    assert np.corrcoef(by_bands, by_features)[0, 1] > SAME_MOUTH


@pytest.mark.parametrize("language", LANGUAGES)
def test_speech_opens_the_mouth_and_silence_closes_it(language: str) -> None:
    *curves, silent = heard(language)
    assert np.count_nonzero(silent) > 5
    for opening in curves:
        assert np.percentile(opening[~silent], 95) > 0.4
        assert opening[silent].max() < 0.06


def test_another_recording_is_another_mouth() -> None:
    for language, other in pairwise(LANGUAGES):
        first, second = heard(language)[0], heard(other)[1]
        count = min(len(first), len(second))
        assert np.corrcoef(first[:count], second[:count])[0, 1] < SAME_MOUTH - 0.1
