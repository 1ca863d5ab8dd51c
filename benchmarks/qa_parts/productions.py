"""Whole productions outside of the platform, by the shipped providers, and their reviews: what QA is tried on."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import CheckLimits, DeliveryProfile, ProductionSpec
from contracts.qa import QAReviewRequest, QAReviewResult
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.video import VideoAssemblyRequest
from providers.lipsync.mouth_warp import MouthWarpProvider
from providers.qa.signal import SignalQAProvider
from providers.script.audio_features import AudioFeaturesProvider
from providers.script.transcript import TranscriptProvider
from providers.video.pyav import PyAVAssemblyProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore

PROJECT = Path(__file__).parents[2]
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".txt": "text/plain",
    ".mp4": "video/mp4",
}


@dataclass(frozen=True)
class Made:
    """One finished production."""

    audio: ArtifactRef
    script: ScriptResult
    lipsync: LipSyncResult
    video: ArtifactRef

    def with_video(self, video: ArtifactRef) -> "Made":
        return replace(self, video=video)


class Workshop:
    """A store of its own, and the shipped providers with their default options."""

    def __init__(self, folder: Path, profile: DeliveryProfile) -> None:
        self._folder = folder
        self._spec = ProductionSpec(profile=profile)
        self.store = LocalArtifactStore(folder / "store")
        self._scripts: dict[str, ScriptResult] = {}

    def put(self, path: Path) -> ArtifactRef:
        return self.store.put(path, MEDIA_TYPES[path.suffix])

    def make(self, face: Path, voice: Path, words: Path | None = None, **lipsync: Any) -> Made:
        """``lipsync``: fields of its request."""
        audio, stub = self.put(voice), self.put(face)
        script = self.script(audio, words)
        aligned = MouthWarpProvider(MouthWarpProvider.Options(), self._context()).run(
            LipSyncRequest(audio_track=audio, video_stub=stub, script=script, production=self._spec, **lipsync)
        )
        assembled = PyAVAssemblyProvider(PyAVAssemblyProvider.Options(), self._context()).run(
            VideoAssemblyRequest(
                aligned_video=aligned.aligned_video, audio_track=audio, script=script, production=self._spec
            )
        )
        return Made(audio, script, aligned, assembled.assembled_video)

    def script(self, audio: ArtifactRef, words: Path | None) -> ScriptResult:
        """Of a recording, once."""
        if audio.digest not in self._scripts:
            transcript = self.put(words) if words else None
            request = ScriptGenerationRequest(audio_track=audio, transcript=transcript)
            made_by = TranscriptProvider if words else AudioFeaturesProvider
            self._scripts[audio.digest] = made_by(made_by.Options(), self._context()).run(request)
        return self._scripts[audio.digest]

    def review(self, made: Made, **fields: Any) -> QAReviewResult:
        """As the shipped workflow binds it; ``fields`` replace the request's."""
        request: dict[str, Any] = {
            "video": made.video,
            "audio_track": made.audio,
            "script": made.script,
            "mouth_curve": made.lipsync.mouth_curve,
            "before_mouth": made.lipsync.before_mouth,
            "untouched": made.lipsync.untouched,
            "input_fidelity": made.lipsync.fidelity,
            "production": self._spec,
        }
        provider = SignalQAProvider(SignalQAProvider.Options(), self._context())
        return provider.run(QAReviewRequest(**request | fields))

    def _context(self) -> ProviderContext:
        work = Path(tempfile.mkdtemp(dir=self._folder))
        return ProviderContext(logger=logging.getLogger("workshop"), artifacts=self.store, temp_dir=work)


@contextmanager
def workshop(profile: str = "web", **changes: Any) -> Iterator[Workshop]:
    """With the shipped limits of a profile."""
    limits = YAML(typ="safe").load(PROJECT / "configs" / "qa" / f"{profile}.yaml")["checks"]
    checked = {name: CheckLimits(**values) for name, values in limits.items()}
    with tempfile.TemporaryDirectory() as folder:
        yield Workshop(Path(folder), DeliveryProfile(name=profile, limits=checked, **changes))
