"""Inspection: facts and previews of any file."""

from pydantic import Field

from contracts.artifacts import ArtifactRef, MediaInfo
from contracts.production import TaskRequest, TaskResult

WAVEFORM_WIDTH, WAVEFORM_HEIGHT = 1200, 220
"""Pixels of a waveform picture."""
WAVEFORM_START_X, WAVEFORM_END_X = 12, 1188
"""Time runs linearly between these columns, from the sound's start to its end: other curves can be laid over it."""


class InspectionRequest(TaskRequest):
    artifact: ArtifactRef
    previews: bool = Field(default=True, description="Also make poster, contact sheet and waveform.")


class InspectionResult(TaskResult):
    """Previews are None where the medium has none (a text has no poster)."""

    info: MediaInfo
    poster: ArtifactRef | None = Field(default=None, description="JPEG, long side up to 640 pixels.")
    contact_sheet: ArtifactRef | None = Field(
        default=None, description="JPEG of frames over the whole length, with times."
    )
    waveform: ArtifactRef | None = Field(default=None, description="PNG of the audio's envelope.")
    poster_thumbnail: str = Field(default="", description="Data URI of at most 900 characters; empty: none.")
    waveform_thumbnail: str = Field(default="", description="Data URI of at most 900 characters; empty: none.")
    text: str | None = Field(default=None, description="The beginning of a text, up to 2,000 characters.")
