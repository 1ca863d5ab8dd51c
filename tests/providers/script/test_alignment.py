"""Forced alignment on real speech: where words are, and what happens when text and sound differ."""

from itertools import pairwise

import numpy as np
import pytest

from providers._speech import alignment
from providers._speech.alignment import Alignment, NotAligned, align
from providers._speech.recognise import recognise
from tests.providers.script.conftest import PHRASE, PHRASE_SECONDS, RATE_HZ, Samples, silence

WORDS = (
    "And Mister John Dashwood had then leisure to consider how much there might be prudently in his power to do "
    "for them."
)
SHORT_WORDS = "Unless to be rather cold hearted and rather selfish is to be ill disposed."
TOLERANCE_SECONDS = 0.06  # a frame and a half of 25 fps video; lips that far off are not seen to be


@pytest.fixture(scope="module")
def aligned(voice: Samples) -> Alignment:
    return align(voice, WORDS)


def starts(result: Alignment) -> list[float]:
    return [word.start_seconds for word in result.words]


def assert_in_order(result: Alignment, samples: Samples) -> None:
    duration = round(samples.size / RATE_HZ, 3)
    for before, after in pairwise(result.words):
        assert before.start_seconds <= before.end_seconds_exclusive <= after.start_seconds
    assert result.phones[0].start_seconds == 0
    assert result.phones[-1].end_seconds_exclusive == duration
    for before, after in pairwise(result.phones):
        assert before.end_seconds_exclusive == after.start_seconds


def test_every_written_word_is_placed_in_order(aligned: Alignment, voice: Samples) -> None:
    assert " ".join(word.text for word in aligned.words) == WORDS
    assert_in_order(aligned, voice)


def test_a_text_that_fits_is_sure(aligned: Alignment) -> None:
    assert aligned.confidence > 0.9
    assert all(word.confidence > 0.3 for word in aligned.words)
    assert aligned.unwritten == ()


def test_words_are_where_an_independent_search_hears_them(aligned: Alignment, voice: Samples) -> None:
    """The recogniser has no text to follow; where it understands a word, both must agree when."""
    heard = {word.text: word.start_seconds for word in recognise(voice)}
    placed = {word.text.lower().strip("."): word.start_seconds for word in aligned.words}
    common = [name for name in ("john", "leisure", "consider", "how", "much", "there", "might", "be") if name in heard]
    assert len(common) >= 6
    assert all(abs(heard[name] - placed[name]) <= TOLERANCE_SECONDS for name in common)


def test_phones_spell_the_words(aligned: Alignment) -> None:
    john = next(word for word in aligned.words if word.text == "John")
    inside = [
        phone.symbol
        for phone in aligned.phones
        if john.start_seconds <= phone.start_seconds < john.end_seconds_exclusive
    ]
    assert inside == ["JH", "AA", "N"]


def test_times_move_with_the_sound(aligned: Alignment, voice: Samples) -> None:
    moved = align(np.concatenate([silence(1.5), voice]), WORDS)
    offsets = np.subtract(starts(moved), starts(aligned)) - 1.5
    assert np.abs(offsets).max() <= TOLERANCE_SECONDS


def test_equal_sound_gives_equal_answers(voice_short: Samples) -> None:
    assert align(voice_short, SHORT_WORDS) == align(voice_short, SHORT_WORDS)


def test_quiet_recordings_align_as_well(aligned: Alignment, voice: Samples) -> None:
    quiet = align(voice * np.float32(0.03), WORDS)
    assert np.abs(np.subtract(starts(quiet), starts(aligned))).max() <= TOLERANCE_SECONDS


def test_long_sound_is_taken_in_windows(
    aligned: Alignment, voice: Samples, voice_short: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.concatenate([voice, silence(0.5), voice_short, silence(0.5), voice])
    monkeypatch.setattr(alignment, "WINDOW_SECONDS", 6.0)
    result = align(sound, f"{WORDS} {SHORT_WORDS} {WORDS}")
    assert_in_order(result, sound)
    count, offset = len(aligned.words), (voice.size + voice_short.size) / RATE_HZ + 1.0
    for found, expected in (
        (result.words[:count], starts(aligned)),
        (result.words[-count:], [start + offset for start in starts(aligned)]),
    ):
        errors = np.abs(np.subtract([word.start_seconds for word in found], expected))
        assert np.median(errors) <= 0.02
        assert errors.max() <= 0.2  # at a window's cut a word has less context


def test_the_text_waits_while_something_else_is_said(
    aligned: Alignment, voice: Samples, voice_short: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment, "WINDOW_SECONDS", 6.0)
    result = align(np.concatenate([voice_short, silence(0.5), voice]), WORDS)
    errors = np.abs(np.subtract(starts(result), starts(aligned)) - voice_short.size / RATE_HZ - 0.5)
    assert np.median(errors) <= TOLERANCE_SECONDS
    assert result.unwritten[0].start_seconds == 0
    assert result.unwritten[0].end_seconds_exclusive > 4


def test_a_text_that_is_lost_is_given_up(voice: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "WINDOW_SECONDS", 3.0)
    told: list[float] = []
    result = align(
        np.concatenate([voice, voice]), "Call me later when the water is boiling. " * 9, progress=told.append
    )
    assert len(told) == alignment._MAX_LOST_WINDOWS
    assert all(word.confidence == 0 for word in result.words)
    assert sum(phone.symbol != "SIL" for phone in result.phones) > 60


def test_words_that_nobody_says_are_marked_and_harm_no_others(aligned: Alignment, voice: Samples) -> None:
    first, last = WORDS.split(" leisure ")
    result = align(voice, f"{first} seven green bottles leisure {last}")
    said = [word for word in result.words if word.text not in {"seven", "green", "bottles"}]
    assert [word.confidence for word in result.words if word not in said] == [0, 0, 0]
    errors = np.abs(np.subtract([word.start_seconds for word in said], starts(aligned)))
    assert np.sort(errors)[-2] <= TOLERANCE_SECONDS  # the word before the gap may take some of it
    assert_in_order(result, voice)


def test_speech_beyond_the_text_is_heard_as_phones(aligned: Alignment, voice: Samples) -> None:
    result = align(voice, "And Mister John Dashwood")
    assert result.confidence > 0.8
    assert np.abs(np.subtract(starts(result), starts(aligned)[:4])).max() <= TOLERANCE_SECONDS
    (rest,) = result.unwritten
    assert rest.start_seconds == pytest.approx(1.6, abs=0.2)
    spoken = [phone for phone in result.phones if phone.start_seconds > 2 and phone.symbol != "SIL"]
    assert len(spoken) > 30


def test_text_of_another_recording_is_refused(voice: Samples) -> None:
    with pytest.raises(NotAligned, match=r"agree to 0\.\d\d of 1"):
        align(voice, "Call me later when the water is boiling and bring seven green bottles.", min_confidence=0.5)


def test_text_without_english_is_refused(phrase: Samples) -> None:
    with pytest.raises(NotAligned, match="no word that can be read as English"):
        align(phrase, "\u4eca\u5929 \u043f\u0440\u0438\u0432\u0435\u0442")


def test_words_outside_the_dictionary_and_numbers_are_placed(voice: Samples, aligned: Alignment) -> None:
    """Spelt as no dictionary has them: ``Dashwud`` and ``leasure`` are guessed from their letters."""
    result = align(voice, WORDS.replace("Dashwood", "Dashwud").replace("leisure to", "leasure 2"))
    assert [word.text for word in result.words[3:8]] == ["Dashwud", "had", "then", "leasure", "2"]
    assert np.abs(np.subtract(starts(result), starts(aligned))).max() <= 2 * TOLERANCE_SECONDS


def test_a_word_of_another_script_fills_its_gap(phrase: Samples) -> None:
    result = align(phrase, PHRASE.replace("be", "be \u4eca"))
    strange = next(word for word in result.words if word.text == "\u4eca")
    assert strange.confidence == 0
    assert_in_order(result, phrase)
    assert result.words[-1].end_seconds_exclusive <= PHRASE_SECONDS


def test_progress_goes_forward(voice: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "WINDOW_SECONDS", 4.0)
    told: list[float] = []
    align(voice, WORDS, progress=told.append)
    assert told == sorted(told)
    assert len(told) >= 2
    assert told[-1] <= voice.size / RATE_HZ


def test_the_decoder_is_silent(phrase: Samples, capfd: pytest.CaptureFixture[str]) -> None:
    align(phrase, "entirely other words than these")
    assert capfd.readouterr() == ("", "")
