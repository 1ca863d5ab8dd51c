"""A review from beginning to end: facts, evidence, checks, verdict."""

import io

import numpy as np

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ArtifactClient, ProviderContext
from contracts.faces import FaceOptions
from contracts.production import DeliveryProfile
from contracts.qa import QACheck, QAMetrics, QAReviewRequest, QAReviewResult, Verdict
from contracts.script import MouthCurve
from providers.qa import _signal_captions as caption_checks
from providers.qa import _signal_file_checks as file_checks
from providers.qa import _signal_mouth_checks as mouth_checks
from providers.qa import _signal_picture_checks as picture_checks
from providers.qa import _signal_sound_checks as sound_checks
from providers.qa import _signal_words as word_checks
from providers.qa._signal_catalogue import RELATIVE_TO_PROFILE, Catalogue
from providers.qa._signal_evidence import Evidence, Incomplete, Unreadable, gather
from providers.qa._signal_mouth import mouth_of
from providers.qa._signal_parameters import PARAMETERS
from providers.qa._signal_picture import Picture
from providers.qa._signal_sync import Signal
from providers.qa._signal_thumbnails import with_thumbnails

MOST_CURVE_RATE_HZ = 100.0


def review(
    request: QAReviewRequest,
    context: ProviderContext,
    long_side: int,
    faces: FaceOptions,
    *,
    counts_word_errors: bool = False,
) -> QAReviewResult:
    """Raises ProviderRejected when the source recording does not decode; a broken finished file is a finding."""
    catalogue = _catalogue(request.production.profile)
    honest = file_checks.fidelity(catalogue, request.input_fidelity)
    try:
        evidence = gather(request, context, long_side, faces, counts_word_errors=counts_word_errors)
    except Unreadable as error:
        return _result(request, (_unreadable(catalogue, error), honest))
    except Incomplete as error:
        readable = file_checks.readable(catalogue, error.info)
        return _result(request, (readable, file_checks.streams(catalogue, error.info), honest))
    basic = (
        file_checks.readable(catalogue, evidence.info, evidence.damaged_seconds),
        file_checks.streams(catalogue, evidence.info),
    )
    checks = with_thumbnails(
        (*basic, *_all_checks(request, catalogue, evidence), honest),
        context.artifacts.fetch(request.video),
        evidence.picture_offset_seconds,
    )
    measured = _store_curve(context.artifacts, evidence.picture)
    return _result(request, checks, evidence, measured)


def verdict_of(checks: tuple[QACheck, ...], fidelity: Fidelity) -> Verdict:
    """Any failure rejects, any warning asks for a person; unreal work is never approved."""
    found = {check.status for check in checks}
    if "fail" in found:
        return Verdict.REJECT
    if "warn" in found or fidelity in {Fidelity.PASSTHROUGH, Fidelity.STUB}:
        return Verdict.REVIEW
    return Verdict.APPROVE


def _catalogue(profile: DeliveryProfile) -> Catalogue:
    targets = {check_id: float(getattr(profile, field)) for check_id, field in RELATIVE_TO_PROFILE.items()}
    return Catalogue(profile.limits, targets, PARAMETERS)


def _unreadable(catalogue: Catalogue, error: Unreadable) -> QACheck:
    return catalogue.judged("readable", "fail", "unreadable", f"The finished file cannot be read: {error}")


def _all_checks(request: QAReviewRequest, catalogue: Catalogue, found: Evidence) -> tuple[QACheck, ...]:
    profile = request.production.profile
    end = min(found.picture_end_seconds, found.sound_end_seconds)
    source_is_silent = not found.source.is_active.any()
    mouth = mouth_of(found)
    picture = found.picture
    return (
        file_checks.container(catalogue, found.info, profile.codec),
        file_checks.colour(catalogue, found.info),
        file_checks.duration_streams(catalogue, found.picture_end_seconds, found.sound_end_seconds),
        file_checks.duration_source(catalogue, end, found.source.duration_seconds),
        file_checks.start_offset(catalogue, found.info),
        file_checks.frame_rate(catalogue, picture),
        picture_checks.black(catalogue, picture),
        picture_checks.blur(catalogue, picture),
        picture_checks.levels(catalogue, picture),
        picture_checks.face_present(catalogue, picture),
        picture_checks.face_steady(catalogue, picture),
        picture_checks.frozen_face(catalogue, picture, found.speech),
        picture_checks.outside_mouth(catalogue, picture),
        picture_checks.seams(catalogue, picture, found.untouched),
        sound_checks.silence(catalogue, found.comparison),
        sound_checks.clipping(catalogue, found.clipped),
        sound_checks.loudness(catalogue, found.loudness, source_is_silent, profile.loudness_lufs),
        sound_checks.loudness_range(catalogue, found.loudness, found.sound.duration_seconds),
        sound_checks.true_peak(catalogue, found.loudness, profile.true_peak_dbtp),
        sound_checks.content(catalogue, found.comparison),
        sound_checks.shift(catalogue, found.comparison, found.sound_offset_seconds),
        mouth_checks.as_told(catalogue, mouth),
        mouth_checks.with_voice(catalogue, mouth),
        mouth_checks.lip_lag(catalogue, mouth),
        mouth_checks.in_silence(catalogue, mouth),
        caption_checks.captions(catalogue, found.subrip, found.picture_end_seconds),
        word_checks.captions_text(catalogue, found.script, found.subrip),
        word_checks.in_sound(catalogue, found.script, found.placed, found.comparison.shift_seconds),
        word_checks.word_error_rate(catalogue, found.word_errors),
    )


def _store_curve(artifacts: ArtifactClient, picture: Picture) -> ArtifactRef | None:
    """What was measured, one value a frame; None where no face was seen."""
    if picture.mouth.face_share == 0 or picture.frame_seconds <= 0:
        return None
    rate_hz = min(MOST_CURVE_RATE_HZ, round(1 / picture.frame_seconds, 3))
    times = picture.mouth.times_seconds
    frames = np.arange(round(picture.end_seconds * rate_hz)) / rate_hz
    opening: Signal = np.interp(frames, times, picture.mouth.scaled()).astype(np.float32)
    curve = MouthCurve(rate_hz=rate_hz, opening=tuple(round(float(value), 4) for value in opening), origin="picture")
    return artifacts.put(io.BytesIO(curve.model_dump_json().encode()), "application/json")


def _result(
    request: QAReviewRequest,
    checks: tuple[QACheck, ...],
    evidence: Evidence | None = None,
    measured: ArtifactRef | None = None,
) -> QAReviewResult:
    return QAReviewResult(
        provider="signal",
        fidelity=request.input_fidelity,
        verdict=verdict_of(checks, request.input_fidelity),
        checks=checks,
        measured_mouth_curve=measured,
        metrics=_metrics(checks, evidence),
        notes=tuple(f"{check.title}: {check.message}" for check in checks if check.status in {"fail", "warn"}),
    )


def _metrics(checks: tuple[QACheck, ...], evidence: Evidence | None) -> QAMetrics:
    values = {check.id: check.value for check in checks if isinstance(check.value, float)}
    return QAMetrics(
        mouth_correlation=values.get("mouth_as_told"),
        lag_ms=values.get("lip_lag"),
        loudness_lufs=values.get("loudness"),
        true_peak_dbtp=values.get("true_peak"),
        duration_seconds=round(evidence.picture_end_seconds, 3) if evidence else 0.0,
    )
