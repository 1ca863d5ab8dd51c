"""A request's voice as one mel window per frame of the output."""

import numpy as np
import numpy.typing as npt

from contracts.context import ArtifactClient
from contracts.lipsync import LipSyncRequest
from providers._media.audio import read_audio
from providers._speech.visemes import frame_count
from providers.lipsync._mouth_drive import strengths
from providers.lipsync._wav2lip_mel import (
    COLUMNS_PER_SECOND,
    SAMPLE_RATE_HZ,
    mel_spectrogram,
    original_window_starts,
    quiet_as_silence,
    window,
    window_starts,
)
from providers.lipsync.wav2lip import Wav2LipProvider


class Voice:
    """What drives the mouth, frame by frame; and where it is wanted."""

    def __init__(
        self, request: LipSyncRequest, artifacts: ArtifactClient, fps: float, options: Wav2LipProvider.Options
    ) -> None:
        samples = read_audio(artifacts.fetch(request.audio_track), SAMPLE_RATE_HZ)
        mel = mel_spectrogram(samples, options.mel_padding)
        silence = options.silence_dbfs
        self._mel = mel if silence is None else quiet_as_silence(mel, samples, silence)
        ahead = options.mel_offset_frames
        if options.tail == "dropped":
            shift = round(ahead * COLUMNS_PER_SECOND / fps)
            self._starts = [start + shift for start in original_window_starts(mel.shape[1], fps)]
        else:
            self._starts = window_starts(frame_count(len(samples) / SAMPLE_RATE_HZ, fps), fps, ahead)
        self.strengths = strengths(request.segments, self.frame_count, fps)

    @property
    def frame_count(self) -> int:
        return len(self._starts)

    def windows(self, places: list[int]) -> npt.NDArray[np.float32]:
        """float32 (n, 80, 16) of frames of the output."""
        return np.stack([window(self._mel, self._starts[place]) for place in places])
