"""Looks at any file: facts by decoding it once, previews of what it holds. It judges nothing and changes nothing."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import Field

from contracts.artifacts import ArtifactRef, MediaInfo
from contracts.media import InspectionRequest, InspectionResult
from contracts.tasks import MediaInspectionTask
from contracts.tool_registry import SizeBytes

if TYPE_CHECKING:
    from providers._media.previews import Previews


class PyAVInspectionProvider(MediaInspectionTask):
    """Facts and previews with PyAV and Pillow."""

    class Options(MediaInspectionTask.Options):
        max_cpu_s: int = Field(default=3600, gt=0, description="Processor time for one file; then it is ended.")
        max_memory: SizeBytes = Field(default=4 * 2**30, gt=0, description="Memory for one file, such as 4GiB.")

    version = "2"
    preload = ("providers._media.survey", "providers._media.previews", "providers._media.thumbnails")

    def run(self, request: InspectionRequest) -> InspectionResult:
        """Raises: ProviderRejected: media that does not open, holds nothing that decodes, or is outside the limits."""
        # What is imported here is loaded before memory is counted.
        from providers._media.bounds import bounded_process
        from providers._media.previews import inspected
        from providers._media.survey import survey

        options = cast(PyAVInspectionProvider.Options, self.options)
        path = self.context.artifacts.fetch(request.artifact)
        with bounded_process(options.max_cpu_s, options.max_memory):
            if not request.previews:
                return self._result(survey(path), path)
            return self._with_previews(path, *inspected(path))

    def _with_previews(self, path: Path, info: MediaInfo, previews: "Previews") -> InspectionResult:
        from providers._media.previews import picture_poster_jpeg
        from providers._media.thumbnails import thumbnail_data_uri

        poster = picture_poster_jpeg(path) if info.kind == "image" else previews.poster()
        waveform = previews.waveform()
        return self._result(info, path).model_copy(
            update={
                "poster_thumbnail": thumbnail_data_uri(poster) if poster else "",
                "waveform_thumbnail": thumbnail_data_uri(waveform) if waveform else "",
                "poster": self._stored(poster, "image/jpeg"),
                "contact_sheet": self._stored(previews.contact_sheet(), "image/jpeg"),
                "waveform": self._stored(waveform, "image/png"),
            }
        )

    def _result(self, info: MediaInfo, path: Path) -> InspectionResult:
        from providers._media.opening import read_text_start

        return InspectionResult(provider="pyav", info=info, text=read_text_start(path) if info.kind == "text" else None)

    def _stored(self, preview: bytes | None, media_type: str) -> ArtifactRef | None:
        return None if preview is None else self.context.artifacts.put(io.BytesIO(preview), media_type)
