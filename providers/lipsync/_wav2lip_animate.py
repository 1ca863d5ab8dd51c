"""From a request to a result: weights, face, voice, video; and an honest account of what was done."""

import time
from dataclasses import dataclass
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ModelFile, ProviderContext
from contracts.errors import ProviderRejected, ProviderUnavailable
from contracts.lipsync import LipSyncMetrics, LipSyncRequest, LipSyncResult
from providers._media.opening import sniff
from providers._media.probe import probe
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS
from providers.lipsync._mouth_shots import ranges
from providers.lipsync._mouth_video import output_fps
from providers.lipsync._wav2lip_engine import Engine, EngineChoice
from providers.lipsync._wav2lip_render import Painter, render
from providers.lipsync._wav2lip_scene import SURVEY_SHARE, Scene, missing_face, photo_scene, video_scene
from providers.lipsync._wav2lip_sound import Voice
from providers.lipsync._wav2lip_weights import warm_weights
from providers.lipsync.wav2lip import Wav2LipProvider

PROVIDER = "wav2lip"


def animate(request: LipSyncRequest, context: ProviderContext, options: Wav2LipProvider.Options) -> LipSyncResult:
    """See ``Wav2LipProvider.run``."""
    began = time.monotonic()
    model = _model(context, options)
    weights = warm_weights(model)
    face = context.artifacts.fetch(request.video_stub)
    is_photo = sniff(face) == "picture"
    fps = request.production.profile.fps if is_photo else _video_fps(face, request)
    voice = Voice(request, context.artifacts, fps, options)
    if is_photo:
        scene = photo_scene(face, voice.frame_count, request, context, options)
    else:
        scene = video_scene(face, voice.frame_count, fps, request, context, options)
    scene = _where_wanted(scene, voice)
    _check_policy(scene.reasons, request, fps)
    if "" not in scene.reasons:
        return _handed_on(request, missing_face(scene.reasons))
    engine = Engine(weights, _choice(options), scene.reasons.count(""), lower_only=options.paste == "feathered")
    work = _Work(request, context, options, model, fps)
    video = work.rendered(scene, voice, engine, started_at=0.0 if is_photo else SURVEY_SHARE)
    return work.result(scene, engine, video, time.monotonic() - began)


def _choice(options: Wav2LipProvider.Options) -> EngineChoice:
    return EngineChoice(
        options.engine, options.device, options.precision, options.batch_size, options.compile_from_frames
    )


def _model(context: ProviderContext, options: Wav2LipProvider.Options) -> ModelFile:
    models = context.models or {}
    if options.model not in models:
        known = ", ".join(sorted(models)) or "none"
        raise ProviderUnavailable(
            f"expected the weights {options.model!r} under models: in the tool registry, which names {known}; add them"
        )
    return models[options.model]


def _video_fps(face: Path, request: LipSyncRequest) -> float:
    media = request.video_stub.media or probe(face)
    if media.video is None:
        raise ProviderRejected(f"expected a picture or a video of a face, got {media.kind}")
    return output_fps(media.video, request.production.profile)


def _where_wanted(scene: Scene, voice: Voice) -> Scene:
    """The scene with a reason at every place outside of the stretches that were asked for."""
    for place, strength in enumerate(voice.strengths):
        if strength == 0:
            scene.reasons[place] = OUTSIDE_SEGMENTS
    return scene


def _check_policy(reasons: list[str], request: LipSyncRequest, fps: float) -> None:
    missing = [span for span in ranges(reasons) if span.reason != OUTSIDE_SEGMENTS]
    if request.no_face_policy == "fail" and missing:
        first = missing[0]
        raise ProviderRejected(
            f"expected a face that can be animated in every frame (no_face_policy is 'fail'), but from "
            f"{first.start_frame / fps:.2f} s to {first.end_frame_exclusive / fps:.2f} s {first.reason}"
        )


def _handed_on(request: LipSyncRequest, reason: str) -> LipSyncResult:
    """The face as it came."""
    return LipSyncResult(
        provider=PROVIDER,
        fidelity=Fidelity.PASSTHROUGH,
        notes=(f"Nothing could be animated: {reason}. The face is shown as it came.",),
        aligned_video=request.video_stub,
        audio_track=request.audio_track,
    )


@dataclass(frozen=True)
class _Work:
    request: LipSyncRequest
    context: ProviderContext
    options: Wav2LipProvider.Options
    model: ModelFile
    fps: float

    def rendered(self, scene: Scene, voice: Voice, engine: Engine, *, started_at: float) -> ArtifactRef:
        """The stored video; whose weights made it stands in its metadata."""
        target = self.context.temp_dir / "aligned.mp4"
        painter = Painter(
            scene,
            voice,
            engine,
            is_whole=self.options.paste == "whole",
            hold_last=self.request.no_face_policy == "hold_last",
        )

        def on_frame(count: int) -> None:
            share = started_at + (1 - started_at) * count / voice.frame_count
            self.context.progress(share, 1.0, "animating the face")

        render(scene, painter, target, self.fps, self.request.production.profile, on_frame)
        weights = {"name": self.options.model, "sha256": self.model.sha256, "licence": self.model.licence}
        video = self.context.artifacts.put(target, "video/mp4", {"weights": weights})
        target.unlink()
        return video

    def result(self, scene: Scene, engine: Engine, video: ArtifactRef, seconds: float) -> LipSyncResult:
        faulty = [reason for reason in scene.reasons if reason not in {"", OUTSIDE_SEGMENTS}]
        notes = [f"Made with the weights {self.options.model!r}, licence: {self.model.licence}.", *engine.notes]
        if self.model.sha256 is None:
            notes.append("The weights were not verified: the tool registry names no sha256 for them.")
        if faulty:
            notes.append(f"{len(faulty) / self.fps:.1f} s are not animated: {missing_face(faulty)}.")
        return LipSyncResult(
            provider=PROVIDER,
            fidelity=Fidelity.DEGRADED if faulty else Fidelity.REAL,
            notes=tuple(notes),
            aligned_video=video,
            audio_track=self.request.audio_track,
            metrics=LipSyncMetrics(
                frame_count=len(scene.reasons),
                animated_frame_count=scene.reasons.count(""),
                fps=self.fps,
                face_confidence=scene.confidence,
                render_seconds=round(seconds, 3),
            ),
            untouched=ranges(scene.reasons),
        )
