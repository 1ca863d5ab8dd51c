"""Handles to stored media: what a file is, never where on a machine it lives."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from contracts.base import Contract, Model

_STORE_PATH = re.compile(r"[a-z0-9][a-z0-9._@-]*(/[a-z0-9@][a-z0-9._@-]*)*")


class Span(Model):
    """A stretch of time, half open."""

    start_seconds: float = Field(ge=0)
    end_seconds_exclusive: float

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Span":
        if self.end_seconds_exclusive < self.start_seconds:
            raise ValueError(f"expected end >= start, got {self.start_seconds} .. {self.end_seconds_exclusive}")
        return self

    @property
    def duration_seconds(self) -> float:
        return self.end_seconds_exclusive - self.start_seconds


class FrameRange(Model):
    """Frames ``start_frame <= n < end_frame_exclusive`` of a video, and why they are named."""

    start_frame: int = Field(ge=0)
    end_frame_exclusive: int = Field(ge=0)
    reason: str = ""


class Box(Model):
    """A rectangle in pixels, origin top left."""

    x: int
    y: int
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class VideoInfo(Model):
    """Facts of one video stream (or of a picture: one frame, fps 0), found by decoding it."""

    codec: str
    width: int = Field(description="Pixels as shown, after rotation and pixel aspect ratio.")
    height: int = Field(description="Pixels as shown, after rotation.")
    fps: float = Field(ge=0, description="Mean frames per second; 0 for a picture.")
    frame_count: int = Field(ge=0, description="Frames that really decoded.")
    duration_seconds: float = Field(ge=0, description="From the first frame's start to the last frame's end.")
    start_seconds: float = Field(default=0, description="Presentation time of the first frame.")
    pixel_format: str = ""
    rotation_degrees: int = Field(
        default=0, description="Display rotation found in the file: 0, 90, 180 or 270, clockwise."
    )
    variable_frame_rate: bool = False
    color: dict[str, str] = Field(default_factory=dict, description="Colour tags: space, range, primaries, transfer.")


class AudioInfo(Model):
    """Facts of one audio stream, found by decoding it."""

    codec: str
    sample_rate_hz: int = Field(gt=0)
    channels: int = Field(gt=0)
    sample_count: int = Field(ge=0, description="Samples per channel that really decoded.")
    duration_seconds: float = Field(ge=0)
    start_seconds: float = Field(default=0, description="Presentation time of the first sample.")


class MediaInfo(Model):
    """What a file was found to be. Every number comes from its content, none from its name."""

    kind: Literal["video", "audio", "image", "text", "data"]
    container: str = ""
    duration_seconds: float = Field(default=0, ge=0, description="Of the longest stream; 0 for a picture or text.")
    video: VideoInfo | None = None
    audio: AudioInfo | None = None
    subtitle_codecs: tuple[str, ...] = ()
    faststart: bool | None = Field(default=None, description="MP4 only: the index stands before the media data.")
    tags: dict[str, str] = Field(default_factory=dict, description="Container metadata.")
    decode_errors: int = Field(default=0, description="Packets that did not decode.")


class ArtifactRef(Contract):
    """Stored bytes: relative path, checksum, size, type, and what is known of them."""

    path: str = Field(description="Relative to the workspace's root in the store.")
    checksum: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="sha256:<64 hex digits> of the bytes.")
    size_bytes: int = Field(ge=0)
    media_type: str = Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$", description="IANA media type, such as video/mp4.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Free facts; JSON values.")
    media: MediaInfo | None = Field(default=None, description="Filled by inspection, never by trust.")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if not _STORE_PATH.fullmatch(path) or any(part in {".", ".."} for part in path.split("/")):
            raise ValueError(f"expected a path inside the store, got {path!r}")
        return path

    @property
    def digest(self) -> str:
        """The 64 hex digits of the SHA-256."""
        return self.checksum.removeprefix("sha256:")
