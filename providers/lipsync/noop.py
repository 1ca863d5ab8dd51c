"""No lip-sync: the face and the voice are handed on as they came."""

from contracts.base import Fidelity
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.tasks import LipSyncTask


class NoOpLipSyncProvider(LipSyncTask):
    """Runs where lip-sync is turned off. Opens no media: same references, same bytes, same digests."""

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        return LipSyncResult(
            provider="noop",
            fidelity=Fidelity.PASSTHROUGH,
            notes=("Lip-sync is turned off: the face is shown as it came.",),
            aligned_video=request.video_stub,
            audio_track=request.audio_track,
        )
