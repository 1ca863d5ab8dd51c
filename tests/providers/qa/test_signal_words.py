"""Words of the script against the final sound: forced alignment, and on request a recogniser's errors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.production import ProductionSpec
from contracts.qa import QACheck, QAReviewRequest
from contracts.script import Line, ScriptResult
from providers._media.audio import read_audio
from providers._speech.alignment import align
from providers._speech.heard_again import starts_heard
from providers.qa.signal import SignalQAProvider
from tests.providers.qa.conftest import PROFILE, Review
from tests.providers.qa.films import RATE_HZ, SAMPLES_DIR, Film

SHIFT_SECONDS = 0.12


@pytest.fixture(scope="module")
def script() -> ScriptResult:
    text = (SAMPLES_DIR / "voice_short.txt").read_text().strip()
    found = align(read_audio(SAMPLES_DIR / "voice_short.wav"), text)
    line = Line(
        text=text,
        start_seconds=found.words[0].start_seconds,
        end_seconds_exclusive=found.words[-1].end_seconds_exclusive,
        words=found.words,
    )
    return ScriptResult(
        text=text,
        lines=(line,),
        phones=found.phones,
        phones_origin="aligned",
        words_origin="transcript",
        duration_seconds=5.3,
    )


def test_script_is_heard_in_its_sound(film: Film, script: ScriptResult, review: Review) -> None:
    check = review(film, script=script).checks["script_in_sound"]
    assert (check.status, check.value) == ("pass", 1.0), check.message
    assert check.parameters["in_place_seconds"] == 0.15


def test_sound_that_is_shifted_as_a_whole_still_says_the_script(
    film: Film, script: ScriptResult, review: Review
) -> None:
    report = review(film.sound_later(SHIFT_SECONDS), script=script)
    assert report.checks["script_in_sound"].status == "pass", "that it is late is another check's finding"
    assert report.checks["audio_shift"].status == "fail"


def test_other_words_are_seen(
    film: Film, script: ScriptResult, review: Review, put: Callable[[Path], ArtifactRef]
) -> None:
    other = replace(film, samples=np.resize(read_audio(SAMPLES_DIR / "voice.wav", RATE_HZ), len(film.samples)))
    check = review(other, script=script, audio_track=put(SAMPLES_DIR / "voice.wav")).checks["script_in_sound"]
    assert check.status == "fail"
    assert check.evidence


def test_words_are_found_again_where_they_moved_with_the_sound(script: ScriptResult) -> None:
    samples = read_audio(SAMPLES_DIR / "voice_short.wav")
    later = np.pad(samples, (round(SHIFT_SECONDS * 16_000), 0))
    found = starts_heard(later, script.lines, SHIFT_SECONDS)
    words = script.lines[0].words
    assert len(found) == len(words)
    apart = [abs((start or 99) - words[place].start_seconds - SHIFT_SECONDS) for (_, place), start in found.items()]
    assert np.median(apart) < 0.02


def test_words_that_were_not_heard_before_are_not_expected(script: ScriptResult) -> None:
    line = script.lines[0]
    unheard = line.words[3].model_copy(update={"confidence": 0.0})
    lines = (line.model_copy(update={"words": (*line.words[:3], unheard, *line.words[4:])}),)
    found = starts_heard(read_audio(SAMPLES_DIR / "voice_short.wav"), lines, 0.0)
    assert (0, 3) not in found
    assert (0, 4) in found


class TestWordErrorRate:
    @pytest.fixture
    def on_request(
        self,
        film: Film,
        script: ScriptResult,
        store: Any,
        context: ProviderContext,
        put: Callable[[Path], ArtifactRef],
        tmp_path: Path,
    ) -> Callable[[Film], QACheck]:
        def run(film: Film) -> QACheck:
            request = QAReviewRequest(
                video=store.put(film.write(tmp_path / "film.mp4"), "video/mp4"),
                audio_track=put(SAMPLES_DIR / "voice_short.wav"),
                script=script,
                production=ProductionSpec(profile=PROFILE),
            )
            options = SignalQAProvider.Options(word_error_rate=True)
            checks = SignalQAProvider(options, context).run(request).checks
            return next(check for check in checks if check.id == "word_error_rate")

        return run

    def test_the_same_sound_is_understood_as_well_and_a_noisy_one_worse(
        self, film: Film, on_request: Callable[[Film], QACheck]
    ) -> None:
        assert on_request(film.cut_to(5.0)).value == pytest.approx(0, abs=0.15)
        noise = np.random.default_rng(3).normal(0, 0.2, len(film.samples)).astype(np.float32)
        noisy = on_request(replace(film, samples=np.clip(film.samples * 0.3 + noise, -1, 1)))
        assert noisy.status in {"warn", "fail"}, noisy.message

    def test_it_is_not_asked_for_by_default(self, film: Film, script: ScriptResult, review: Review) -> None:
        assert review(film, script=script).checks["word_error_rate"].status == "skipped"
