"""A face and a voice in, a face that speaks out."""

from typing import Literal

from pydantic import Field

from contracts.artifacts import ArtifactRef, FrameRange, Span
from contracts.production import MEASURED, Metrics, TaskRequest, TaskResult
from contracts.script import ScriptResult

NoFacePolicy = Literal["pass_through", "hold_last", "fail"]


class LipSyncRequest(TaskRequest):
    """The short form is ``{audio_track, video_stub, language, metadata}``."""

    audio_track: ArtifactRef
    video_stub: ArtifactRef = Field(description="A picture or a video of a face.")
    language: str = "en"
    script: ScriptResult | None = Field(
        default=None, description="Phones live there; without it the audio alone drives the mouth."
    )
    segments: tuple[Span, ...] = Field(default=(), description="Animate only these stretches; empty means all.")
    speaker: int | None = Field(
        default=None, ge=0, description="Which face, counted from the left; None means the largest."
    )
    no_face_policy: NoFacePolicy = "pass_through"


class LipSyncMetrics(Metrics):
    frame_count: int = 0
    animated_frame_count: int = 0
    fps: float = 0.0
    face_confidence: float | None = Field(default=None, description="0..1, mean over the frames with a face.")
    render_seconds: float | None = Field(
        default=None,
        description="A measurement of the run; not part of the data version.",
        json_schema_extra=MEASURED,
    )


class LipSyncResult(TaskResult):
    """``aligned_video`` may be a picture where nothing was animated: the video stage shows it as long as the audio."""

    aligned_video: ArtifactRef
    audio_track: ArtifactRef
    metrics: LipSyncMetrics = LipSyncMetrics()
    untouched: tuple[FrameRange, ...] = Field(default=(), description="Frames left as they were, and why.")
    mouth_curve: ArtifactRef | None = Field(
        default=None, description="MouthCurve that was intended, frame by frame; QA compares."
    )
    before_mouth: ArtifactRef | None = Field(
        default=None,
        description="Some of the aligned video's frames, at their times, before a mouth was drawn, at reduced size.",
    )
