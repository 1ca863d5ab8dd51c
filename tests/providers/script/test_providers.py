"""The four script providers against the conformance kit, and what each promises beyond it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.errors import NotApplicable, ProviderRejected
from contracts.production import TaskRequest
from contracts.script import MouthCurve, ScriptGenerationRequest, ScriptResult
from providers.script.audio_features import AudioFeaturesProvider
from providers.script.noop import NoOpScriptProvider
from providers.script.pocketsphinx import PocketsphinxProvider
from providers.script.transcript import TranscriptProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.pytest_cases import NoOpCases, ProviderCases
from tests.providers.script.conftest import PHRASE, PHRASE_SECONDS, Samples, silence

Run = Callable[..., ScriptResult]


class _Cases(ProviderCases):
    @pytest.fixture
    def good_request(
        self, put_sound: Callable[[Samples], ArtifactRef], put_text: Callable[..., ArtifactRef], phrase: Samples
    ) -> TaskRequest:
        return ScriptGenerationRequest(audio_track=put_sound(phrase), transcript=put_text(PHRASE))

    @pytest.fixture
    def bad_requests(
        self, put: Callable[[Path], ArtifactRef], put_text: Callable[..., ArtifactRef], broken: Path
    ) -> dict[str, TaskRequest]:
        return {"no sound": ScriptGenerationRequest(audio_track=put(broken), transcript=put_text(PHRASE))}


@pytest.mark.requirement("S1", "S12")
class TestTranscriptConforms(_Cases):
    provider = TranscriptProvider


@pytest.mark.requirement("S1", "S12")
class TestPocketsphinxConforms(_Cases):
    provider = PocketsphinxProvider


@pytest.mark.requirement("S1", "S12")
class TestAudioFeaturesConforms(_Cases):
    provider = AudioFeaturesProvider


@pytest.mark.requirement("S12", "S52")
class TestNoOpConforms(_Cases, NoOpCases):
    provider = NoOpScriptProvider


def text_of(ref: ArtifactRef | None, store: LocalArtifactStore) -> str:
    assert ref is not None
    with store.open(ref) as stream:
        return stream.read().decode()


# -- transcript --


def test_a_transcript_is_aligned_and_captioned(script: Run, phrase: Samples, store: LocalArtifactStore) -> None:
    result = script(TranscriptProvider, phrase, f"{PHRASE}.")
    assert (result.fidelity, result.words_origin, result.phones_origin) == (Fidelity.REAL, "transcript", "aligned")
    assert result.has_confident_words
    assert result.confidence > 0.8
    assert result.text == f"{PHRASE}."
    assert [word.text for word in result.words] == ["Unless", "to", "be", "rather", "cold-hearted."]
    assert (result.metrics.word_count, result.metrics.caption_count) == (5, 1)
    assert result.duration_seconds == PHRASE_SECONDS
    assert text_of(result.captions_srt, store).endswith("\nUnless to be rather cold-hearted.\n\n")
    assert text_of(result.captions_vtt, store).startswith("WEBVTT\n")
    assert result.captions_srt is not None
    assert result.captions_srt.media_type == "application/x-subrip"


def test_times_are_whole_milliseconds(script: Run, phrase: Samples) -> None:
    result = script(TranscriptProvider, phrase, PHRASE)
    times = [
        edge for item in (*result.words, *result.phones) for edge in (item.start_seconds, item.end_seconds_exclusive)
    ]
    assert all(round(time, 3) == time for time in times)


def test_a_wrong_transcript_is_kept_with_estimated_times(script: Run, voice_short: Samples) -> None:
    result = script(TranscriptProvider, voice_short, "Call me later. Bring seven green bottles to our place.")
    assert (result.fidelity, result.phones_origin) == (Fidelity.DEGRADED, "allphone")
    assert result.confidence < 0.5
    assert "does not fit" in result.notes[0]
    assert [line.text for line in result.lines] == ["Call me later.", "Bring seven green bottles to our place."]
    assert result.words[0].start_seconds >= result.speech[0].start_seconds
    assert result.words[-1].end_seconds_exclusive <= result.speech[-1].end_seconds_exclusive


def test_cue_times_count_where_alignment_fails(script: Run, voice_short: Samples) -> None:
    cues = "1\n00:00:00,500 --> 00:00:02,000\nQuelque chose\n\n2\n00:00:03,000 --> 00:00:09,000\nd'autre\n"
    result = script(TranscriptProvider, voice_short, cues, language="fr")
    assert result.fidelity is Fidelity.DEGRADED
    assert [(line.text, line.start_seconds, line.end_seconds_exclusive) for line in result.lines] == [
        ("Quelque chose", 0.5, 2.0),
        ("d'autre", 3.0, result.duration_seconds),
    ]
    assert "'fr'" in result.notes[0]
    assert "cues" in result.notes[0]


def test_cues_of_another_cut_are_no_help(script: Run, phrase: Samples) -> None:
    times = ("00:00:01,000 --> 00:00:02,000", "00:10:00,000 --> 00:10:02,000", "00:11:00,000 --> 00:11:02,000")
    cues = "".join(f"{time}\nQuelque chose\n\n" for time in times)
    result = script(TranscriptProvider, phrase, cues, language="fr")
    assert result.words[-1].end_seconds_exclusive <= PHRASE_SECONDS
    assert "length of the words" in result.notes[0]


def test_cues_are_replaced_by_what_is_heard(script: Run, phrase: Samples) -> None:
    result = script(TranscriptProvider, phrase, f"WEBVTT\n\n00:00.000 --> 00:09.000\n<i>{PHRASE}</i>\n")
    assert result.fidelity is Fidelity.REAL
    assert result.words[0].start_seconds == pytest.approx(0.27, abs=0.06)


def test_no_transcript_is_not_applicable(put_sound: Callable[[Samples], ArtifactRef], phrase: Samples) -> None:
    request = ScriptGenerationRequest(audio_track=put_sound(phrase))
    assert TranscriptProvider.not_applicable(TranscriptProvider.Options(), request) == (
        "no transcript came with this recording"
    )


def test_a_transcript_without_words_is_not_applicable(script: Run, phrase: Samples) -> None:
    with pytest.raises(NotApplicable, match="no words"):
        script(TranscriptProvider, phrase, " \n ... \n")


def test_a_transcript_that_is_no_text_is_rejected(script: Run, phrase: Samples) -> None:
    with pytest.raises(ProviderRejected, match="binary"):
        script(TranscriptProvider, phrase, b"\x00\x01\x02\x03")


def test_agreement_that_is_asked_for_is_an_option(script: Run, phrase: Samples) -> None:
    wrong = "Seven green bottles of water"
    assert script(TranscriptProvider, phrase, wrong).fidelity is Fidelity.DEGRADED
    assert script(TranscriptProvider, phrase, wrong, options={"min_confidence": 0}).phones_origin == "aligned"


# -- pocketsphinx --


def test_guessed_words_are_marked_unsure(script: Run, voice_short: Samples) -> None:
    result = script(PocketsphinxProvider, voice_short)
    assert (result.words_origin, result.phones_origin) == ("recognised", "allphone")
    assert not result.has_confident_words
    assert 0 < result.confidence <= 0.6
    assert result.captions_srt is not None
    assert "guess" in result.notes[0]
    assert "selfish" in result.text


@pytest.mark.parametrize(("language", "knows"), [("en", True), ("en-GB", True), ("fr", False), ("enm", False)])
def test_the_recogniser_knows_english_only(language: str, knows: bool, put_text: Callable[..., ArtifactRef]) -> None:
    request = ScriptGenerationRequest(audio_track=put_text("unread"), language=language)
    reason = PocketsphinxProvider.not_applicable(PocketsphinxProvider.Options(), request)
    assert (reason is None) == knows
    assert knows or f"{language!r}" in (reason or "")


# -- audio_features --


def test_features_need_no_words_and_no_language(script: Run, phrase: Samples, store: LocalArtifactStore) -> None:
    result = script(AudioFeaturesProvider, phrase, language="xx")
    assert result.fidelity is Fidelity.DEGRADED
    assert (result.lines, result.words_origin, result.captions_srt) == ((), "none", None)
    assert result.phones_origin == "allphone"
    assert result.speech
    curve = MouthCurve.parse_json(text_of(result.mouth_curve, store))
    assert curve.origin == "features"
    assert len(curve.opening) == round(PHRASE_SECONDS * curve.rate_hz) + 1
    assert "no words" in result.notes[0]


# -- all --


@pytest.mark.parametrize("provider", [TranscriptProvider, PocketsphinxProvider, AudioFeaturesProvider])
def test_silence_ends_well_and_says_so(script: Run, provider: type) -> None:
    result = script(provider, silence(1.0), PHRASE)
    assert (result.lines, result.confidence, result.speech, result.captions_srt) == ((), 0, (), None)
    assert [phone.symbol for phone in result.phones] == ["SIL"]
    assert result.duration_seconds == 1.0
    assert any("Nobody speaks" in note for note in result.notes)


def test_a_click_is_too_short_for_everything_and_harms_nothing(script: Run) -> None:
    click = np.full(40, 0.5, np.float32)
    for provider in (TranscriptProvider, PocketsphinxProvider, AudioFeaturesProvider):
        assert script(provider, click, PHRASE).lines == ()


def test_the_noop_knows_the_duration_only(script: Run, phrase: Samples) -> None:
    result = script(NoOpScriptProvider, phrase, PHRASE)
    assert (result.duration_seconds, result.lines, result.phones) == (PHRASE_SECONDS, (), ())
    assert result.words_origin == result.phones_origin == "none"
