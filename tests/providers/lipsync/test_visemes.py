"""How the mouth is told to move."""

import numpy as np
import pytest

from benchmarks.lipsync_agreement import talkers
from contracts.script import MouthCurve
from providers._speech.visemes import loudness_envelope, motion_from_audio, motion_from_curve, mouth_motion
from tests.providers.lipsync.makers import phones

HIGH_RATE_HZ = 100.0


def at(seconds: float) -> int:
    return round(seconds * HIGH_RATE_HZ)


def test_lips_close_for_m_and_p_and_open_for_vowels() -> None:
    motion = mouth_motion(phones(), 1.6, HIGH_RATE_HZ, lead_seconds=0)
    for closed in (0.23, 0.25, 0.27, 0.54, 0.56, 0.58, 0.87, 0.05, 1.55):
        assert motion.opening[at(closed)] <= 0.02, f"at {closed} s"
    for open_at in (0.4, 0.72, 1.0):
        assert motion.opening[at(open_at)] > 0.4, f"at {open_at} s"


def test_lower_lip_goes_under_the_teeth_for_f_only() -> None:
    motion = mouth_motion(phones(), 1.6, HIGH_RATE_HZ, lead_seconds=0)
    assert motion.tuck[at(1.16)] > 0.9
    assert motion.tuck[at(0.4)] < 0.05


def test_rounded_vowels_are_narrower_than_spread_ones() -> None:
    motion = mouth_motion(phones((("UW", 0.0, 0.5), ("IY", 0.5, 1.0))), 1.0, HIGH_RATE_HZ, lead_seconds=0)
    assert motion.width[at(0.25)] < 0.8
    assert motion.width[at(0.75)] > 1.05


def test_the_lips_run_ahead_of_the_sound_by_the_lead() -> None:
    late = mouth_motion(phones(), 1.6, HIGH_RATE_HZ, lead_seconds=0)
    early = mouth_motion(phones(), 1.6, HIGH_RATE_HZ, lead_seconds=0.1)
    np.testing.assert_allclose(early.opening[5:120], late.opening[15:130], atol=0.02)


def test_a_closure_shorter_than_a_frame_is_seen_in_one() -> None:
    fast = phones((("AA", 0.0, 0.47), ("B", 0.47, 0.50), ("AA", 0.50, 1.0)))
    motion = mouth_motion(fast, 1.0, 10.0, lead_seconds=0)
    assert motion.opening.min() < 0


def test_silence_is_a_closed_mouth() -> None:
    assert not mouth_motion((), 1.0, 25.0).opening.any()
    assert not motion_from_audio(np.zeros(16_000, np.float32), 16_000, 25.0).opening.any()


def test_what_sounds_more_open_is_wider() -> None:
    vowel = phones((("AA", 0.0, 1.0),))
    quiet = mouth_motion(vowel, 1.0, 25.0, heard=np.zeros(10, np.float32))
    loud = mouth_motion(vowel, 1.0, 25.0, heard=np.ones(10, np.float32))
    assert loud.opening[12] > quiet.opening[12] + 0.2


def test_no_sound_opens_a_closure_or_a_silence() -> None:
    motion = mouth_motion(phones(), 1.6, HIGH_RATE_HZ, lead_seconds=0, heard=np.ones(160, np.float32))
    for closed in (0.05, 0.25, 0.56, 0.87, 1.55):
        assert motion.opening[at(closed)] <= 0.02, f"at {closed} s"


def test_lips_round_before_a_rounded_vowel_and_through_careless_consonants() -> None:
    spoken = phones((("AA", 0.0, 0.4), ("T", 0.4, 0.5), ("UW", 0.5, 0.9)))
    motion = mouth_motion(spoken, 0.9, HIGH_RATE_HZ, lead_seconds=0)
    assert motion.width[at(0.45)] < 0.85, "half way through the T"
    assert motion.width[at(0.2)] > 0.93
    assert motion.opening[at(0.3)] > 0.6, "the jaw does not look ahead as far"


def test_unknown_phones_rest() -> None:
    assert not mouth_motion(phones((("QQ", 0.0, 1.0),)), 1.0, 25.0).opening.any()


@pytest.mark.parametrize(("duration_seconds", "count"), [(0.001, 1), (1.0, 25), (7.1, 178), (1.019, 25), (1.021, 26)])
def test_one_element_per_frame_of_the_sound(duration_seconds: float, count: int) -> None:
    assert len(mouth_motion((), duration_seconds, 25.0)) == count


def test_sound_alone_opens_where_it_is_loud() -> None:
    times = np.arange(32_000) / 16_000
    loud = (times % 1.0) < 0.5
    voiced = np.sign(np.sin(2 * np.pi * 150 * times)) * 0.3 * loud
    opening = motion_from_audio(voiced.astype(np.float32), 16_000, 50.0).opening
    assert opening[5:20].mean() > opening[30:45].mean() + 0.3


def test_a_motion_can_run_ahead() -> None:
    times = np.arange(32_000) / 16_000
    voiced = (np.sign(np.sin(2 * np.pi * 150 * times)) * 0.3 * ((times % 1.0) < 0.5)).astype(np.float32)
    motion = motion_from_audio(voiced, 16_000, 50.0)
    np.testing.assert_allclose(motion.ahead(0.1).opening[:-5], motion.opening[5:], atol=1e-6)
    assert len(motion.ahead(0.1)) == len(motion)


def test_loudness_is_between_0_and_1_at_any_length() -> None:
    for samples in (1, 100, 16_000):
        envelope = loudness_envelope(np.full(samples, 0.5, np.float32), 16_000, 7)
        assert envelope.shape == (7,)
        assert ((envelope >= 0) & (envelope <= 1)).all()


def test_a_curve_is_followed_at_its_own_times() -> None:
    curve = MouthCurve(rate_hz=10, opening=(0.0, 0.0, 1.0, 1.0, 0.0))
    motion = motion_from_curve(curve, 0.5, 20.0, lead_seconds=0)
    np.testing.assert_allclose(motion.opening[[0, 2, 4, 6, 8]], [0, 0, 1, 1, 0], atol=1e-6)


def test_the_lips_of_real_talkers_are_followed_and_at_the_right_time() -> None:
    """Five of them, pooled: what one voice leaves open is decided by the talker, so r stays far from 1."""
    assert talkers()[-1]["r"] >= 0.5
    for lead_seconds in (-0.09, 0.15):
        assert talkers(lead_seconds)[-1]["r"] < 0.45
