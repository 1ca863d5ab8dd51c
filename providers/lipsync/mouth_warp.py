"""Lip-sync without weights, on a CPU: the lower face is warped and the inside of the mouth drawn, led by the phones.

Good for frontal photos and videos. Where it cannot do well it leaves the frames as they are and says so.
"""

from typing import cast

from pydantic import Field

from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.tasks import LipSyncTask


class MouthWarpProvider(LipSyncTask):
    """A photo or a frontal video and a voice in, a face that speaks out."""

    version = "3"
    preload = ("providers.lipsync._mouth_animate",)

    class Options(LipSyncTask.Options):
        lead_ms: float = Field(default=30.0, ge=-200, le=200, description="How far the lips run ahead of the sound.")
        blinks: bool = Field(default=True, description="A photo blinks where its eyes are seen open.")
        sway: bool = Field(default=True, description="A photo's head sways by a hundredth of its width.")
        breathing: bool = Field(default=True, description="A photo's chest rises and falls.")
        faces: FaceOptions = FaceOptions()

        @property
        def model_names(self) -> tuple[str, ...]:
            return self.faces.files

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        """Animate what can be animated; hand the face on, labelled, when nothing can.

        Raises:
            ProviderUnavailable: the file by which faces are to be found is missing, or no such file.
            ProviderRejected: voice or face cannot be read, or a face is missing and ``no_face_policy`` is ``fail``.
        """
        from providers.lipsync._mouth_animate import animate
        from providers.lipsync._mouth_life import LifeOptions

        options = cast(MouthWarpProvider.Options, self.options)
        life = LifeOptions(sway=options.sway, breathing=options.breathing, blinks=options.blinks)
        return animate(request, self.context, options.lead_ms / 1000, life, options.faces)
