"""What came in: one voice, one face, perhaps a transcript and options."""

from typing import Any

from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.base import Model
from contracts.production import CaptionPolicy, TaskResult


class UploadOptions(Model):
    """``<stem>.yaml`` beside the audio. Options are not identity: a new value makes a new generation of the upload."""

    language: str | None = Field(
        default=None, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="BCP 47 tag, such as en or pt-BR."
    )
    title: str = Field(default="", max_length=200)
    tags: tuple[str, ...] = ()
    profile: str = Field(default="web", description="Name of a delivery profile of the tool registry.")
    captions: CaptionPolicy = "confident"
    metadata: dict[str, Any] = Field(default_factory=dict)


class UploadResult(TaskResult):
    """The root asset: everything a workflow may bind as ``upload.<field>``."""

    audio_track: ArtifactRef
    video_stub: ArtifactRef = Field(description="The face: a picture or a video.")
    transcript: ArtifactRef | None = None
    language: str
    title: str = ""
    tags: tuple[str, ...] = ()
    profile: str = "web"
    captions: CaptionPolicy = "confident"
    metadata: dict[str, Any] = Field(default_factory=dict)
    digest: str = Field(description="Identity: SHA-256 over the audio's and the face's digests, 64 hex digits.")
    source_names: dict[str, str] = Field(default_factory=dict, description="Role -> file name as it came; only shown.")
