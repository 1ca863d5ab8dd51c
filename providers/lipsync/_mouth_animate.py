"""From a request to a result: choose photo or video, render, store, and say honestly what was done."""

import io
from functools import partial
from pathlib import Path

from contracts.base import Fidelity, canonical_json
from contracts.context import Progress, ProviderContext
from contracts.errors import ProviderRejected
from contracts.faces import FaceOptions, FaceTrack
from contracts.lipsync import LipSyncMetrics, LipSyncRequest, LipSyncResult
from providers._media.face_tracks import Watch, face_track
from providers._media.opening import sniff
from providers._media.probe import probe
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_life import LifeOptions
from providers.lipsync._mouth_photo import Whom, render_photo
from providers.lipsync._mouth_rendered import Files, NothingToAnimate, Rendered
from providers.lipsync._mouth_shots import ranges
from providers.lipsync._mouth_video import TRACK_SHARE, output_fps, render_video

PROVIDER = "mouth_warp"


def animate(
    request: LipSyncRequest, context: ProviderContext, lead_seconds: float, life: LifeOptions, faces: FaceOptions
) -> LipSyncResult:
    """See ``MouthWarpProvider.run``."""
    face = context.artifacts.fetch(request.video_stub)
    is_photo = sniff(face) == "picture"
    fps = request.production.profile.fps if is_photo else _video_fps(face, request)
    drive = MouthDrive(request, context.artifacts, fps, lead_seconds)
    files = Files(context.temp_dir)
    try:
        if is_photo:
            whom = Whom(faces, context.models or {}, request.speaker)
            rendered = _from_photo(face, files, drive, request, life, whom, context.progress)
        else:
            follow = partial(_track, request, context, faces, drive.duration_seconds)
            rendered = render_video(face, files, drive, request, follow, context.progress)
    except NothingToAnimate as nothing:
        return _handed_on(request, str(nothing))
    video, before = (context.artifacts.put(file, "video/mp4") for file in (files.aligned, files.before))
    files.remove()
    curve = canonical_json(drive.curve(rendered.openings).model_dump(mode="json"))
    untouched = ranges(rendered.reasons)
    return LipSyncResult(
        provider=PROVIDER,
        fidelity=Fidelity.REAL if rendered.is_complete else Fidelity.DEGRADED,
        notes=_notes(rendered, fps),
        aligned_video=video,
        audio_track=request.audio_track,
        metrics=LipSyncMetrics(
            frame_count=len(rendered.reasons),
            animated_frame_count=rendered.animated_frame_count,
            fps=fps,
            face_confidence=rendered.confidence,
        ),
        untouched=untouched,
        mouth_curve=context.artifacts.put(io.BytesIO(curve), "application/json"),
        before_mouth=before,
    )


def _video_fps(face: Path, request: LipSyncRequest) -> float:
    media = request.video_stub.media or probe(face)
    if media.video is None:
        raise ProviderRejected(f"expected a picture or a video of a face, got {media.kind}")
    return output_fps(media.video, request.production.profile)


def _track(
    request: LipSyncRequest, context: ProviderContext, faces: FaceOptions, seconds: float, watch: Watch
) -> FaceTrack:
    def on_second(done: float) -> None:
        context.progress(TRACK_SHARE * min(1.0, done / seconds), 1.0, "following the face")

    return face_track(
        request.video_stub,
        context.artifacts,
        faces,
        context.models or {},
        speaker=request.speaker,
        seconds=seconds,
        long_side=request.production.profile.max_long_side,
        on_second=on_second,
        watch=watch,
    )


def _from_photo(
    face: Path,
    files: Files,
    drive: MouthDrive,
    request: LipSyncRequest,
    life: LifeOptions,
    whom: Whom,
    progress: Progress,
) -> Rendered:
    try:
        return render_photo(face, files, drive, request.production.profile, life, whom, progress)
    except NothingToAnimate as nothing:
        if request.no_face_policy == "fail":
            raise ProviderRejected(
                f"expected a photo with a face that can be animated (no_face_policy is 'fail'), but {nothing}"
            ) from nothing
        raise


def _handed_on(request: LipSyncRequest, reason: str) -> LipSyncResult:
    """The face as it came: no broken mouth is painted."""
    return LipSyncResult(
        provider=PROVIDER,
        fidelity=Fidelity.PASSTHROUGH,
        notes=(f"Nothing could be animated: {reason}. The face is shown as it came.",),
        aligned_video=request.video_stub,
        audio_track=request.audio_track,
    )


def _notes(rendered: Rendered, fps: float) -> tuple[str, ...]:
    if rendered.is_complete:
        return ()
    frames = len(rendered.reasons) - rendered.animated_frame_count
    return (f"{frames / fps:.1f} s are shown as they came, because the mouth could not be animated well there.",)
