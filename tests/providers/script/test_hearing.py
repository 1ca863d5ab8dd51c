"""Phones by ear, speech spans, pieces of long sound, recognition, the mouth curve."""

from itertools import pairwise

import numpy as np
import pytest

from contracts.artifacts import Span
from contracts.script import MouthCurve, Phone
from providers._speech import features
from providers._speech.decoding import phone_hearer
from providers._speech.features import RATE_HZ as CURVE_RATE_HZ
from providers._speech.features import mouth_curve
from providers._speech.phones import SIL, allphone, covered, speech_spans
from providers._speech.recognise import MAX_CONFIDENCE, lines_by_pause, recognise
from providers._speech.voice_activity import speech_pieces
from tests.providers.script.conftest import RATE_HZ, Samples, silence

SPAN_TOLERANCE_SECONDS = 0.35  # the endpointer decides over 0.3 s


def phone(symbol: str, start: float, end: float) -> Phone:
    return Phone(symbol=symbol, start_seconds=start, end_seconds_exclusive=end)


def test_gaps_are_filled_with_silence_up_to_the_end() -> None:
    result = covered([phone("AA", 0.5, 0.9), phone("SIL", 0.9, 1.2), phone("B", 1.1, 9.0)], 2.0)
    assert [(p.symbol, p.start_seconds, p.end_seconds_exclusive) for p in result] == [
        ("SIL", 0, 0.5),
        ("AA", 0.5, 0.9),
        ("SIL", 0.9, 1.2),
        ("B", 1.2, 2.0),
    ]


def test_phones_by_ear_cover_the_sound_and_repeat(phrase: Samples) -> None:
    result = allphone(phrase)
    assert result == allphone(phrase)
    assert result[0].start_seconds == 0
    assert result[-1].end_seconds_exclusive == round(phrase.size / RATE_HZ, 3)
    for before, after in pairwise(result):
        assert before.end_seconds_exclusive == after.start_seconds
    assert {"K", "L", "D"} & {p.symbol for p in result}  # of "cold"
    assert sum(p.symbol != SIL for p in result) > 12


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_nobody_speaks_in_silence(level: float) -> None:
    noise = (np.random.default_rng(1).standard_normal(2 * RATE_HZ) * level).astype(np.float32)
    assert speech_spans(noise) == ()
    assert [p.symbol for p in allphone(noise)] == [SIL]
    assert recognise(noise) == ()


def test_no_samples_hold_nothing() -> None:
    nothing = np.zeros(0, np.float32)
    assert (speech_spans(nothing), allphone(nothing), recognise(nothing)) == ((), (), ())
    assert mouth_curve(nothing).opening == ()


def test_speech_spans_follow_the_voice(phrase: Samples) -> None:
    first, second = speech_spans(np.concatenate([silence(1), phrase, silence(2), phrase, silence(1)]))
    length = phrase.size / RATE_HZ
    assert first.start_seconds == pytest.approx(1.2, abs=SPAN_TOLERANCE_SECONDS)
    assert first.end_seconds_exclusive == pytest.approx(1 + length, abs=SPAN_TOLERANCE_SECONDS)
    assert second.start_seconds == pytest.approx(3.2 + length, abs=SPAN_TOLERANCE_SECONDS)


def test_a_very_quiet_voice_is_found(voice_short: Samples) -> None:
    found = speech_spans(voice_short * np.float32(0.003))
    assert sum(span.duration_seconds for span in found) > 4


def test_what_was_heard_before_changes_nothing(voice: Samples, phrase: Samples) -> None:
    ear = phone_hearer()
    fresh = ear.hear(phrase)
    ear.hear(voice * np.float32(0.05))
    assert ear.hear(phrase) == fresh


def test_long_speech_is_cut_into_pieces_at_its_pauses(phrase: Samples) -> None:
    sound = np.concatenate([np.concatenate([phrase, silence(0.15)])] * 4)
    duration = sound.size / RATE_HZ
    pieces = speech_pieces(sound, (Span(start_seconds=0, end_seconds_exclusive=duration),), max_seconds=4.0)
    assert pieces[0].start_seconds == 0
    assert pieces[-1].end_seconds_exclusive == duration
    assert all(piece.duration_seconds <= 4.0 for piece in pieces)
    for before, after in pairwise(pieces):
        assert before.end_seconds_exclusive == after.start_seconds
        around = sound[round((after.start_seconds - 0.04) * RATE_HZ) : round((after.start_seconds + 0.04) * RATE_HZ)]
        assert np.abs(around).max() < 0.01


def test_recognised_words_are_never_sure(voice_short: Samples) -> None:
    words = recognise(voice_short)
    assert {"rather", "cold", "hearted", "selfish"} <= {word.text for word in words}
    assert all(0 <= word.confidence <= MAX_CONFIDENCE for word in words)
    for before, after in pairwise(words):
        assert before.end_seconds_exclusive <= after.start_seconds


def test_a_pause_starts_a_new_line(phrase: Samples) -> None:
    words = recognise(np.concatenate([phrase, silence(1.5), phrase]))
    first, second = lines_by_pause(words)
    assert words[first.stop - 1].end_seconds_exclusive < 2.5
    assert words[second.start].start_seconds > 3.5


def test_the_mouth_opens_on_vowels_and_closes_in_silence(phrase: Samples) -> None:
    sound = np.concatenate([silence(1), phrase, silence(1)])
    curve = mouth_curve(sound)
    opening = np.asarray(curve.opening)
    assert curve.rate_hz == CURVE_RATE_HZ
    assert opening.size == len(curve.width) == sound.size * CURVE_RATE_HZ // RATE_HZ + 1
    assert opening[:90].max() == opening[-90:].max() == 0
    assert opening.max() > 0.9
    assert np.std(opening[120:320]) > 0.15


def test_hiss_opens_the_mouth_less_than_a_vowel() -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    vowel = sum(np.sin(2 * np.pi * f * times) * a for f, a in ((150, 0.3), (700, 0.3), (1200, 0.2)))
    hiss = np.diff(np.random.default_rng(1).standard_normal(RATE_HZ + 1)) * 0.1
    opening = np.asarray(mouth_curve(np.concatenate([vowel, hiss]).astype(np.float32)).opening)
    assert opening[10:90].mean() > 2 * opening[110:190].mean()


def test_long_sound_has_no_seam_in_its_curve(phrase: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: MouthCurve = mouth_curve(phrase)
    monkeypatch.setattr(features, "_BLOCK_FRAMES", 37)
    assert mouth_curve(phrase) == whole
