"""Whole reviews of real files: a good one passes everything, and each planted defect fails the check made for it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import ArtifactRef, Span
from contracts.base import Fidelity
from contracts.context import ProviderContext
from contracts.production import CheckLimits, DeliveryProfile, ProductionSpec
from contracts.qa import QAReviewRequest, Verdict
from contracts.script import MouthCurve, Phone, ScriptResult
from providers._media.audio import read_audio
from providers._speech.phones import allphone
from providers._speech.visemes import mouth_motion
from providers.qa.signal import SignalQAProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.pytest_cases import ProviderCases
from tests.providers.qa.conftest import PROFILE, Review
from tests.providers.qa.films import FPS, RATE_HZ, SAMPLES_DIR, Film, painted, portrait

MOUTH_CHECKS = ("mouth_as_told", "mouth_with_voice", "lip_lag")
NOT_FOR_THIS = {
    *("captions", "captions_text", "script_in_sound", "word_error_rate"),
    *("loudness_range", "outside_mouth", "seams", "mouth_in_silence"),
}
"""Skipped of a film of seven seconds without words, segments or frames from before."""
SHIFT_SECONDS = 0.28  # seven frames
SHIFT_TOLERANCE_MS = 25  # half a frame: the picture only knows whole ones


@pytest.mark.requirement("S1", "S12")
class TestSignalQA(ProviderCases):
    provider = SignalQAProvider

    @pytest.fixture
    def good_request(
        self, store: LocalArtifactStore, film: Film, curve_of: Callable[[Film], ArtifactRef], tmp_path: Path
    ) -> QAReviewRequest:
        return QAReviewRequest(
            video=store.put(film.write(tmp_path / "film.mp4"), "video/mp4"),
            audio_track=store.put(SAMPLES_DIR / "voice_short.wav", "audio/wav"),
            mouth_curve=curve_of(film),
            production=ProductionSpec(profile=PROFILE),
        )

    @pytest.fixture
    def bad_requests(
        self, good_request: QAReviewRequest, put: Callable[[Path], ArtifactRef], broken: Path
    ) -> dict[str, QAReviewRequest]:
        return {
            "the recording is noise": good_request.model_copy(update={"audio_track": put(broken)}),
            "the curve is no curve": good_request.model_copy(update={"mouth_curve": put(broken)}),
        }


def test_good_film_passes_every_check(long_film: Film, review: Review, put, samples, curve_of) -> None:
    report = review(long_film, audio_track=put(samples / "voice.wav"), mouth_curve=curve_of(long_film))
    assert report.result.verdict is Verdict.APPROVE
    assert report.found == set()
    assert report.with_status("skipped") == NOT_FOR_THIS
    assert report.result.metrics.mouth_correlation is not None
    assert report.result.metrics.mouth_correlation > 0.9
    assert report.result.metrics.lag_ms == pytest.approx(0, abs=10)
    assert report.result.notes == ()


def test_still_face_is_seen(film: Film, review: Review) -> None:
    first = film.frames[0]
    report = review(film.with_frames(lambda index, frame: first))
    assert report.found == {"frozen_face", "mouth_as_told", "mouth_with_voice"}
    assert report.result.verdict is Verdict.REJECT


def test_still_face_is_seen_without_an_intended_curve(film: Film, review: Review) -> None:
    first = film.frames[0]
    report = review(film.with_frames(lambda index, frame: first), mouth_curve=None)
    assert report.found == {"frozen_face", "mouth_with_voice"}


def test_mouth_is_timed_by_the_voice_without_an_intended_curve(film: Film, review: Review) -> None:
    assert review(film, mouth_curve=None).checks["lip_lag"].status == "pass"
    late = review(film.mouth_later(SHIFT_SECONDS), mouth_curve=None).checks["lip_lag"]
    assert late.status == "warn"  # good within 120 ms only, so it does not reject
    assert late.value == pytest.approx(SHIFT_SECONDS * 1000, abs=120)


@pytest.mark.parametrize("seconds", [SHIFT_SECONDS, -SHIFT_SECONDS])
def test_shifted_sound_is_seen(film: Film, review: Review, seconds: float) -> None:
    report = review(film.sound_later(seconds))
    assert report.found == {"audio_shift", "lip_lag"}
    assert report.checks["audio_shift"].value == pytest.approx(seconds * 1000, abs=2)
    assert report.checks["lip_lag"].value == pytest.approx(-seconds * 1000, abs=SHIFT_TOLERANCE_MS)
    assert report.checks["audio_shift"].status == report.checks["lip_lag"].status == "fail"


@pytest.mark.parametrize("seconds", [SHIFT_SECONDS, -SHIFT_SECONDS])
def test_shifted_mouth_is_seen(film: Film, review: Review, seconds: float) -> None:
    report = review(film.mouth_later(seconds))
    assert report.found == {"lip_lag"}
    assert report.checks["lip_lag"].value == pytest.approx(seconds * 1000, abs=SHIFT_TOLERANCE_MS)


def test_shifted_sound_is_seen_where_no_face_is(film: Film, review: Review) -> None:
    wall = film.with_frames(lambda index, frame: np.full_like(frame, 90 + index % 7))
    report = review(wall.sound_later(SHIFT_SECONDS))
    assert report.checks["audio_shift"].status == "fail"
    assert report.checks["face_present"].status == "fail"
    assert report.checks["lip_lag"].status == "skipped"


def test_sound_that_starts_late_in_the_container_is_seen(film: Film, review: Review) -> None:
    report = review(replace(film, sound_start_seconds=SHIFT_SECONDS))
    assert {"start_offset", "audio_shift", "lip_lag"} <= report.with_status("fail")
    assert report.checks["audio_shift"].value == pytest.approx(SHIFT_SECONDS * 1000, abs=5)


def test_black_stretch_is_seen_where_it_is(film: Film, review: Review) -> None:
    report = review(film.with_frames(lambda index, frame: np.zeros_like(frame) if 50 <= index < 75 else frame))
    assert report.found == {"black"}
    (found,) = report.checks["black"].evidence
    assert (found.start_seconds, found.end_seconds_exclusive) == (2.0, 3.0)
    assert brightness(found.thumbnail) < 10
    (frozen, *_) = review(film.with_frames(lambda index, frame: film.frames[0])).checks["frozen_face"].evidence
    assert brightness(frozen.thumbnail) > 60, "a picture of what was found, not of anything"


def brightness(data_uri: str) -> float:
    """Mean grey level of a picture."""
    head, _, data = data_uri.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert max(picture.shape) == 192
    return float(picture.mean())


def test_all_black_film_is_rejected(film: Film, review: Review) -> None:
    assert "black" in review(film.with_frames(lambda index, frame: np.zeros_like(frame))).with_status("fail")


def test_frozen_stretch_in_speech_is_seen_where_it_is(film: Film, review: Review) -> None:
    held = film.frames[50]
    report = review(film.with_frames(lambda index, frame: held if 50 <= index < 80 else frame))
    assert report.with_status("fail") == {"frozen_face"}
    (span,) = report.checks["frozen_face"].evidence
    assert span.start_seconds == pytest.approx(2.0, abs=0.2)
    assert span.end_seconds_exclusive == pytest.approx(3.2, abs=0.2)


def test_mouth_that_moves_little_is_not_frozen(film: Film, review: Review) -> None:
    mumbling = film.opening_as(portrait(SAMPLES_DIR / "presenter.png"), film.curve * np.float32(0.4))
    assert review(mumbling).checks["frozen_face"].status == "pass"


def test_still_face_is_fine_where_nobody_speaks(film: Film, review: Review) -> None:
    held = film.frames[50]
    frozen = film.with_frames(lambda index, frame: held if 50 <= index < 80 else frame)
    speech = (Span(start_seconds=0.1, end_seconds_exclusive=2.0), Span(start_seconds=3.2, end_seconds_exclusive=5.2))
    report = review(frozen, script=ScriptResult(speech=speech, duration_seconds=5.3))
    assert report.checks["frozen_face"].status == "pass"


def test_still_face_is_fine_in_a_pause_that_speech_detection_bridges(film: Film, review: Review) -> None:
    held = film.frames[50]
    frozen = film.with_frames(lambda index, frame: held if 50 <= index < 80 else frame)
    phones = tuple(
        Phone(symbol=symbol, start_seconds=start, end_seconds_exclusive=end)
        for symbol, start, end in (("AA", 0.1, 2.0), ("SIL", 2.0, 3.2), ("AA", 3.2, 5.2))
    )
    speech = (Span(start_seconds=0.1, end_seconds_exclusive=5.2),)
    bridged = ScriptResult(speech=speech, duration_seconds=5.3)
    assert review(frozen, script=bridged).checks["frozen_face"].status == "fail"
    heard = bridged.model_copy(update={"phones": phones, "phones_origin": "allphone"})
    assert review(frozen, script=heard).checks["frozen_face"].status == "pass"


class TestAgainstPhones:
    """The mouth is painted by phones, so that words can be told apart."""

    @pytest.fixture(scope="class")
    def script(self) -> ScriptResult:
        phones = allphone(read_audio(SAMPLES_DIR / "voice_short.wav"))
        return ScriptResult(phones=phones, phones_origin="allphone", duration_seconds=5.3)

    @pytest.fixture(scope="class")
    def spoken(self, film: Film, script: ScriptResult) -> Film:
        opening = mouth_motion(script.phones, script.duration_seconds, FPS).opening
        return film.opening_as(portrait(SAMPLES_DIR / "presenter.png"), np.clip(opening, 0, 1))

    def test_mouth_that_says_the_words_passes(
        self, spoken: Film, script: ScriptResult, review: Review, curve_of
    ) -> None:
        checks = review(spoken, script=script, mouth_curve=curve_of(spoken)).checks
        assert [checks[name].status for name in MOUTH_CHECKS] == ["pass", "pass", "pass"]

    def test_mouth_that_says_other_words_as_it_was_told_is_seen(
        self, spoken: Film, script: ScriptResult, review: Review, curve_of
    ) -> None:
        other = replace(spoken, frames=spoken.frames[::-1], curve=spoken.curve[::-1])
        report = review(other, script=script, mouth_curve=curve_of(other))
        assert report.checks["mouth_as_told"].status == "pass"
        assert "mouth_with_voice" in report.found

    def test_shifted_sound_is_followed_by_the_phones(self, spoken: Film, script: ScriptResult, review: Review) -> None:
        report = review(spoken.sound_later(SHIFT_SECONDS), script=script, mouth_curve=None)
        assert report.checks["mouth_with_voice"].status == "pass"
        assert report.checks["lip_lag"].value == pytest.approx(-SHIFT_SECONDS * 1000, abs=SHIFT_TOLERANCE_MS)


def test_hole_in_the_sound_is_seen_where_it_is(film: Film, review: Review) -> None:
    samples = film.samples.copy()
    samples[2 * RATE_HZ : 3 * RATE_HZ] = 0
    report = review(replace(film, samples=samples))
    assert report.found == {"silence"}
    (span,) = report.checks["silence"].evidence
    assert (span.start_seconds, span.end_seconds_exclusive) == pytest.approx((2.0, 3.0), abs=0.1)


def test_silent_film_is_rejected(film: Film, review: Review) -> None:
    report = review(replace(film, samples=np.zeros_like(film.samples)))
    assert report.with_status("fail") == {"silence", "loudness"}


def test_truncated_film_is_seen(film: Film, review: Review) -> None:
    report = review(film.cut_to(4.0))
    assert report.found == {"duration_source"}
    assert report.checks["duration_source"].value == pytest.approx(-1300, abs=50)


def test_picture_that_ends_early_is_seen(film: Film, review: Review) -> None:
    report = review(replace(film, frames=film.frames[:-FPS]))
    assert report.with_status("fail") == {"duration_streams", "duration_source"}


def test_file_cut_off_in_the_middle_is_rejected(film: Film, review: Review, tmp_path: Path) -> None:
    whole = film.write(tmp_path / "whole.mp4").read_bytes()
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(whole[: len(whole) * 6 // 10])
    report = review(torn)
    assert report.result.verdict is Verdict.REJECT
    assert report.with_status("fail") & {"readable", "duration_source"}


def test_file_that_does_not_open_is_a_finding_not_a_crash(review: Review, tmp_path: Path) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    report = review(noise)
    assert report.result.verdict is Verdict.REJECT
    assert report.with_status("fail") & {"readable", "streams"}


def test_picture_instead_of_a_video_is_rejected(review: Review) -> None:
    assert "streams" in review(SAMPLES_DIR / "presenter.png").with_status("fail")


def test_other_voice_is_seen(film: Film, review: Review, put, samples) -> None:
    report = review(film, audio_track=put(samples / "voice.wav"))
    assert "audio_content" in report.with_status("fail")
    assert report.checks["audio_shift"].status == "skipped"


def test_clipped_sound_is_seen(film: Film, review: Review) -> None:
    report = review(replace(film, samples=np.clip(film.samples * 6, -1, 1)))
    assert {"clipping", "loudness", "true_peak"} <= report.found


def test_quiet_sound_is_seen(film: Film, review: Review) -> None:
    report = review(replace(film, samples=film.samples * np.float32(0.25)))
    assert report.found == {"loudness"}


def test_lost_frame_is_seen(film: Film, review: Review) -> None:
    times = [(index + (index > 60)) / FPS for index in range(len(film.frames) - 1)]
    report = review(replace(film, frames=[*film.frames[:61], *film.frames[62:]], frame_seconds=times))
    assert report.found == {"frame_rate"}


def test_mouth_that_follows_something_else_is_seen(film: Film, review: Review) -> None:
    backwards = replace(film, frames=film.frames[::-1])
    assert "mouth_as_told" in review(backwards).with_status("fail")


def test_mouth_told_to_stay_closed_is_not_judged(film: Film, review: Review, curve_of) -> None:
    shut = painted(portrait(SAMPLES_DIR / "presenter.png"), 0.0)
    report = review(
        film.with_frames(lambda index, frame: shut), mouth_curve=curve_of(replace(film, curve=film.curve * 0))
    )
    assert report.checks["mouth_as_told"].status == "skipped"


@pytest.mark.requirement("X10")
@pytest.mark.parametrize(
    ("fidelity", "status", "verdict"),
    [
        (Fidelity.DEGRADED, "warn", Verdict.REVIEW),
        (Fidelity.PASSTHROUGH, "fail", Verdict.REJECT),
        (Fidelity.STUB, "fail", Verdict.REJECT),
    ],
)
def test_unreal_work_is_named_and_never_approved(
    film: Film, review: Review, fidelity: Fidelity, status: str, verdict: Verdict
) -> None:
    report = review(film, input_fidelity=fidelity)
    assert report.checks["fidelity"].status == status
    assert report.checks["fidelity"].value == fidelity.value
    assert report.result.verdict is verdict
    assert any(report.checks["fidelity"].message in note for note in report.result.notes)


def test_limits_of_the_profile_replace_the_defaults(film: Film, review: Review) -> None:
    limits = {"mouth_as_told": CheckLimits(warn_below=0.999), "loudness": CheckLimits(fail_below=5)}
    profile = DeliveryProfile(loudness_lufs=-21, limits=limits)
    report = review(film, production=ProductionSpec(profile=profile))
    assert report.checks["mouth_as_told"].status == "warn"
    assert report.checks["loudness"].status == "fail"
    assert report.checks["loudness"].limits == CheckLimits(fail_below=-16)


def test_captions_are_checked_against_the_video(film: Film, review: Review, store, tmp_path: Path) -> None:
    late = tmp_path / "late.srt"
    late.write_text(
        "1\n00:00:00,100 --> 00:00:02,000\nUnless to be\n\n2\n00:00:02,000 --> 00:00:06,500\nill disposed\n"
    )
    script = ScriptResult(
        captions_srt=store.put(late, "text/plain"), speech=(Span(start_seconds=0.2, end_seconds_exclusive=5.0),)
    )
    report = review(film, script=script)
    assert report.with_status("warn", "fail") == {"captions"}
    (late_one,) = report.checks["captions"].evidence
    assert (late_one.start_seconds, late_one.end_seconds_exclusive) == (2.0, 6.5)


def test_measured_curve_is_stored_and_follows_the_mouth(film: Film, review: Review, context: ProviderContext) -> None:
    ref = review(film).result.measured_mouth_curve
    assert ref is not None
    with context.artifacts.open(ref) as stream:
        curve = MouthCurve.parse_json(stream.read())
    assert (curve.rate_hz, curve.origin, len(curve.opening)) == (FPS, "picture", len(film.frames))
    assert np.corrcoef(curve.opening, film.curve)[0, 1] > 0.9
    assert 0 <= min(curve.opening) <= max(curve.opening) <= 1
