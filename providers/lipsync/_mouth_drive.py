"""What drives the mouth in a request: its phones, its curve of openings, or the sound alone; and where it is wanted."""

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Span
from contracts.context import ArtifactClient
from contracts.lipsync import LipSyncRequest
from contracts.script import MouthCurve
from providers._media.audio import read_audio_blocks
from providers._speech.visemes import (
    MouthMotion,
    frame_count,
    motion_from_audio,
    motion_from_curve,
    mouth_motion,
)
from providers.lipsync._mouth_rig import Pose

SAMPLE_RATE_HZ = 16_000
HEARD_RATE_HZ = 100.0
FADE_SECONDS = 0.12  # how fast a mouth comes in and goes out where only some stretches are animated


class MouthDrive:
    """Poses and strengths for each frame of the output."""

    def __init__(self, request: LipSyncRequest, artifacts: ArtifactClient, fps: float, lead_seconds: float) -> None:
        blocks = read_audio_blocks(artifacts.fetch(request.audio_track), sample_rate_hz=SAMPLE_RATE_HZ, mono=True)
        samples = np.concatenate([block[0] for block in blocks])
        self.duration_seconds = len(samples) / SAMPLE_RATE_HZ
        self.fps = fps
        self.motion, self.origin = _motion(request, artifacts, samples, fps, lead_seconds)
        self.is_partial = bool(request.segments)
        """Only some stretches are to be animated."""
        self.strengths = strengths(request.segments, self.frame_count, fps)

    @property
    def frame_count(self) -> int:
        return frame_count(self.duration_seconds, self.fps)

    def pose(self, index: int) -> Pose:
        motion = self.motion
        return Pose(
            float(motion.opening[index]),
            float(motion.width[index]),
            float(motion.teeth[index]),
            float(motion.tuck[index]),
        )

    def curve(self, shown: list[float]) -> MouthCurve:
        """The openings that were rendered, one per frame."""
        return MouthCurve(
            rate_hz=self.fps,
            opening=tuple(round(value, 4) for value in shown),
            width=tuple(round(float(value), 4) for value in self.motion.width[: len(shown)]),
            origin=self.origin,
        )


def strengths(segments: tuple[Span, ...], count: int, fps: float) -> npt.NDArray[np.float32]:
    """0..1 per frame: 1 inside the segments, fading inside their ends; all 1 when there are no segments."""
    if not segments:
        return np.ones(count, np.float32)
    result = np.zeros(count, np.float32)
    times = np.arange(count) / fps
    for span in segments:
        inside = np.minimum(times - span.start_seconds + 0.5 / fps, span.end_seconds_exclusive - times - 0.5 / fps)
        result = np.maximum(result, np.clip(inside / FADE_SECONDS, 0, 1).astype(np.float32))
    return result


def _motion(
    request: LipSyncRequest,
    artifacts: ArtifactClient,
    samples: npt.NDArray[np.float32],
    fps: float,
    lead_seconds: float,
) -> tuple[MouthMotion, str]:
    duration = len(samples) / SAMPLE_RATE_HZ
    script = request.script
    if script is not None and script.phones and script.phones_origin != "none":
        heard = motion_from_audio(samples, SAMPLE_RATE_HZ, HEARD_RATE_HZ).opening
        motion = mouth_motion(script.phones, duration, fps, lead_seconds=lead_seconds, heard=heard)
        return motion, script.phones_origin
    if script is not None and script.mouth_curve is not None:
        with artifacts.open(script.mouth_curve) as stream:
            curve = MouthCurve.parse_json(stream.read())
        if curve.opening:
            return motion_from_curve(curve, duration, fps, lead_seconds), "features"
    return motion_from_audio(samples, SAMPLE_RATE_HZ, fps).ahead(lead_seconds), "features"
