"""Lip-sync by the Wav2Lip network, with weights that the user brings: the voice drives the lower face, any language.

Loads the published checkpoints and mends the original's known defects; set the options to ``original`` ways where
equal pictures matter more. The weights' licence is theirs, not this project's: the tool registry names it.
"""

from importlib.util import find_spec
from typing import ClassVar, Literal, cast

from pydantic import Field

from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.tasks import LipSyncTask, ProviderOptions


class Wav2LipProvider(LipSyncTask):
    """A photo or a video and a voice in, a face that speaks out; needs torch and weights."""

    version = "2"
    lane: ClassVar[Literal["cpu", "gpu"]] = "gpu"
    warm: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False  # equal on one machine; rounding differs between devices and precisions

    class Options(LipSyncTask.Options):
        model: str = Field(default="wav2lip", description="Name of the weights under the tool registry's models.")
        engine: Literal["auto", "torch", "openvino"] = Field(
            default="auto", description="auto: torch on a GPU; on a CPU the quicker one on the first frames."
        )
        device: Literal["auto", "cpu", "cuda"] = "auto"
        precision: Literal["auto", "float32", "bfloat16"] = Field(
            default="auto", description="auto: bfloat16 where it is fast and agrees with float32 on the first frames."
        )
        batch_size: int | None = Field(default=None, ge=1, le=1024, description="Frames at once; None: by the device.")
        compile_from_frames: int | None = Field(
            default=None, ge=1, description="torch.compile for clips of at least so many frames; None: never."
        )
        faces: FaceOptions = FaceOptions()
        pad_top_px: int = Field(default=0, ge=-500, le=500)
        pad_bottom_px: int = Field(default=10, ge=-500, le=500)
        pad_left_px: int = Field(default=0, ge=-500, le=500)
        pad_right_px: int = Field(default=0, ge=-500, le=500)
        smooth_boxes: bool = Field(default=True, description="The original's mean over five frames.")
        mel_offset_frames: float = Field(
            default=0.0, ge=-10, le=10, description="Frames that the mouth runs ahead of the sound; 0 is the original."
        )
        mel_padding: Literal["zeros", "reflect"] = Field(
            default="zeros", description="At the sound's ends; reflect is what the original's librosa 0.7 did."
        )
        paste: Literal["feathered", "whole"] = Field(
            default="feathered", description="whole: the box with a hard edge, as the original."
        )
        tail: Literal["kept", "dropped"] = Field(
            default="kept", description="dropped: the picture ends some frames before the sound, as the original."
        )
        loop: Literal["ping_pong", "restart"] = Field(
            default="ping_pong", description="Of a video shorter than the sound; restart jumps, as the original."
        )
        silence_dbfs: float | None = Field(
            default=-50.0,
            le=0,
            description="Stretches quieter than this are heard as silence: noise moves no mouth. null: never.",
        )

        @property
        def model_names(self) -> tuple[str, ...]:
            return (self.model, *self.faces.files)

    @classmethod
    def unavailable(cls, options: ProviderOptions) -> str | None:
        """Missing packages; a missing file of weights is the platform's to see: it knows the path."""
        missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
        if missing:
            return f"expected the package {' and '.join(missing)}, found none; run: pip install 'sparkle[wav2lip]'"
        if cast(Wav2LipProvider.Options, options).engine == "openvino" and find_spec("openvino") is None:
            return "expected the package openvino (engine: openvino), found none; run: pip install 'sparkle[openvino]'"
        return None

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        """Give the face another mouth, frame by frame; what cannot be animated stays as it is, and is named.

        Raises:
            ProviderUnavailable: the weights are missing, damaged, another network's or not those of the registry.
            ProviderRejected: voice or face cannot be read, or a face is missing and ``no_face_policy`` is ``fail``.
        """
        from providers.lipsync._wav2lip_animate import animate

        return animate(request, self.context, cast(Wav2LipProvider.Options, self.options))
