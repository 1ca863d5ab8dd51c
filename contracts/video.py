"""Picture, sound, captions and title become one deliverable file."""

from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.production import CaptionPolicy, Metrics, TaskRequest, TaskResult
from contracts.script import ScriptResult


class VideoAssemblyRequest(TaskRequest):
    aligned_video: ArtifactRef = Field(description="A video, or a picture to be shown for the audio's length.")
    audio_track: ArtifactRef
    script: ScriptResult | None = None
    title: str = Field(default="", max_length=200, description="Overlaid on the first seconds; empty means none.")
    captions: CaptionPolicy = "confident"


class VideoAssemblyMetrics(Metrics):
    duration_seconds: float = 0.0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    frame_count: int = 0
    loudness_lufs: float | None = Field(default=None, description="Integrated, of the encoded audio; None for silence.")
    true_peak_dbtp: float | None = Field(default=None, description="Of the encoded audio; None for silence.")
    video_copied: bool = Field(default=False, description="The video stream was copied, not encoded again.")


class VideoAssemblyResult(TaskResult):
    assembled_video: ArtifactRef
    poster: ArtifactRef | None = None
    captions_srt: ArtifactRef | None = None
    captions_vtt: ArtifactRef | None = None
    captions_in_video: bool = False
    metrics: VideoAssemblyMetrics = VideoAssemblyMetrics()
