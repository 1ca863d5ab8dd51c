"""The deliverable: H.264 and AAC in an MP4 at the profile's loudness, with captions, title and poster."""

from pathlib import Path
from typing import cast

from pydantic import Field

from contracts.tasks import ProviderOptions, VideoAssemblyTask
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult


class PyAVAssemblyProvider(VideoAssemblyTask):
    """Copies the picture where it may stay as it is, else encodes it once; always encodes the sound."""

    version = "2"
    preload = ("providers.video._assembly",)

    class Options(VideoAssemblyTask.Options):
        max_gain_db: float = Field(default=30.0, ge=0, le=60, description="Quiet recordings are raised by no more.")
        max_limiting_db: float = Field(
            default=12.0, ge=0, le=40, description="Peaks are pressed down by no more to reach the loudness."
        )
        title_font: Path | None = Field(default=None, description="TrueType or OpenType file for titles.")

    @classmethod
    def unavailable(cls, options: ProviderOptions) -> str | None:
        font = cast(PyAVAssemblyProvider.Options, options).title_font
        if font is not None and not font.is_file():
            return f"title_font: expected a font file, got {font}, which is not there; correct or remove the option"
        return None

    def run(self, request: VideoAssemblyRequest) -> VideoAssemblyResult:
        from providers.video._assembly import LoudnessLimits, deliver

        options = cast(PyAVAssemblyProvider.Options, self.options)
        limits = LoudnessLimits(max_gain_db=options.max_gain_db, max_limiting_db=options.max_limiting_db)
        result = deliver(request, self.context, limits, options.title_font)
        return result.model_copy(update={"provider": "pyav"})
