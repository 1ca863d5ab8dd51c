"""What runs when assembly is turned off: the picture and the sound as they came, in one file that plays."""

from contracts.base import Fidelity
from contracts.tasks import VideoAssemblyTask
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult


class NoOpVideoProvider(VideoAssemblyTask):
    """Copies the video stream, encodes the audio without touching its level; no title, no captions on the video."""

    def run(self, request: VideoAssemblyRequest) -> VideoAssemblyResult:
        from providers.video._assembly import pass_on

        result = pass_on(request, self.context)
        return result.model_copy(update={"provider": "noop", "fidelity": Fidelity.PASSTHROUGH})
