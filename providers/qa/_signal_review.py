"""A review from beginning to end: facts, evidence, checks, verdict."""

import io

import numpy as np

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ArtifactClient, ProviderContext
from contracts.errors import ProviderRejected
from contracts.faces import FaceOptions
from contracts.production import DeliveryProfile
from contracts.qa import QACheck, QAMetrics, QAReviewRequest, QAReviewResult, Verdict
from contracts.script import MouthCurve
from providers._media.probe import probe
from providers.qa import _signal_captions as caption_checks
from providers.qa import _signal_file_checks as file_checks
from providers.qa import _signal_mouth_checks as mouth_checks
from providers.qa import _signal_picture_checks as picture_checks
from providers.qa import _signal_sound_checks as sound_checks
from providers.qa._signal_catalogue import RELATIVE_TO_PROFILE, Catalogue
from providers.qa._signal_evidence import Evidence, gather
from providers.qa._signal_mouth import mouth_of
from providers.qa._signal_picture import Picture
from providers.qa._signal_sync import Signal
from providers.qa._signal_thumbnails import with_thumbnails

MOST_CURVE_RATE_HZ = 100.0


def review(request: QAReviewRequest, context: ProviderContext, long_side: int, faces: FaceOptions) -> QAReviewResult:
    """Raises ProviderRejected when the source recording does not decode; a broken finished file is a finding."""
    catalogue = _catalogue(request.production.profile)
    honest = file_checks.fidelity(catalogue, request.input_fidelity)
    try:
        info = request.video.media or probe(context.artifacts.fetch(request.video))
    except ProviderRejected as error:
        return _result(request, (_unreadable(catalogue, error), honest))
    basic = (file_checks.readable(catalogue, info), file_checks.streams(catalogue, info))
    if basic[1].status == "fail" or info.video is None or info.audio is None:
        return _result(request, (*basic, honest))
    evidence = gather(request, info, context, long_side, faces)
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
    return Catalogue(profile.limits, targets)


def _unreadable(catalogue: Catalogue, error: ProviderRejected) -> QACheck:
    return catalogue.judged("readable", "fail", "unreadable", f"The finished file cannot be read: {error}")


def _all_checks(request: QAReviewRequest, catalogue: Catalogue, found: Evidence) -> tuple[QACheck, ...]:
    profile = request.production.profile
    end = min(found.picture_end_seconds, found.sound_end_seconds)
    source_is_silent = not found.source.is_active.any()
    mouth = mouth_of(found)
    return (
        file_checks.container(catalogue, found.info, profile.codec),
        file_checks.duration_streams(catalogue, found.picture_end_seconds, found.sound_end_seconds),
        file_checks.duration_source(catalogue, end, found.source.duration_seconds),
        file_checks.start_offset(catalogue, found.info),
        file_checks.frame_rate(catalogue, found.picture),
        picture_checks.black(catalogue, found.picture),
        picture_checks.face_present(catalogue, found.picture),
        picture_checks.frozen_face(catalogue, found.picture, found.speech),
        sound_checks.silence(catalogue, found.comparison),
        sound_checks.clipping(catalogue, found.clipped),
        sound_checks.loudness(catalogue, found.loudness, source_is_silent, profile.loudness_lufs),
        sound_checks.true_peak(catalogue, found.loudness, profile.true_peak_dbtp),
        sound_checks.content(catalogue, found.comparison),
        sound_checks.shift(catalogue, found.comparison, found.sound_offset_seconds),
        mouth_checks.as_told(catalogue, mouth),
        mouth_checks.with_voice(catalogue, mouth),
        mouth_checks.lip_lag(catalogue, mouth),
        caption_checks.captions(catalogue, found.subrip, found.picture_end_seconds),
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
