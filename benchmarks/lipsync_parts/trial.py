"""One render of ``mouth_warp`` outside of the platform, and how well its mouth moved as told."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.script import MouthCurve, ScriptResult
from providers._media.audio import read_audio_blocks
from providers._media.frames import read_frames
from providers._media.mouth_measure import MouthMeter
from providers._media.probe import probe
from providers._speech.phones import allphone
from providers.lipsync.mouth_warp import MouthWarpProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore

Bgr = npt.NDArray[np.uint8]
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
}


@dataclass(frozen=True)
class Trial:
    """``frames`` as decoded; empty when the face was handed on as it came. ``told`` and ``measured`` per frame."""

    result: LipSyncResult
    frames: list[Bgr]
    told: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]

    @property
    def correlation(self) -> float:
        """Intended against measured opening; NaN for what was not rendered."""
        if not self.frames or np.ptp(self.measured) == 0:
            return float("nan")
        return float(np.corrcoef(self.told, self.measured)[0, 1])


class Studio:
    """Renders with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = LocalArtifactStore(folder / "store")
        self._faces: dict[Path, ArtifactRef] = {}
        self._scripts: dict[Path, tuple[ArtifactRef, ScriptResult]] = {}

    def prepared(self, face: Path, voice: Path) -> None:
        """Inspect the face and listen to the voice, so that no render has to."""
        self._face(face)
        self._voice(voice)

    def render_only(
        self, face: Path, voice: Path, profile: DeliveryProfile | None = None, **options: Any
    ) -> LipSyncResult:
        audio, script = self._voice(voice)
        request = LipSyncRequest(
            audio_track=audio,
            video_stub=self._face(face),
            script=script,
            production=ProductionSpec(profile=profile or DeliveryProfile()),
        )
        work = Path(tempfile.mkdtemp(dir=self._folder))
        context = ProviderContext(logger=logging.getLogger("trial"), artifacts=self._store, temp_dir=work)
        return MouthWarpProvider(MouthWarpProvider.Options(**options), context).run(request)

    def render(self, face: Path, voice: Path, profile: DeliveryProfile | None = None, **options: Any) -> Trial:
        result = self.render_only(face, voice, profile, **options)
        if result.mouth_curve is None:
            return Trial(result, [], np.zeros(0), np.zeros(0))
        with self._store.open(result.mouth_curve) as stream:
            told = np.array(MouthCurve.parse_json(stream.read()).opening)
        shown = list(read_frames(self._store.fetch(result.aligned_video)))
        meter = MouthMeter()
        for frame in shown:
            meter.add(frame.time_seconds, frame.bgr)
        measured = np.nan_to_num(meter.finish().opening.astype(np.float64))
        return Trial(result, [frame.bgr for frame in shown], told, measured)

    def _voice(self, voice: Path) -> tuple[ArtifactRef, ScriptResult]:
        if voice not in self._scripts:
            blocks = read_audio_blocks(voice, sample_rate_hz=16_000, mono=True)
            samples = np.concatenate([block[0] for block in blocks])
            phones = allphone(samples)
            script = ScriptResult(duration_seconds=len(samples) / 16_000, phones=phones, phones_origin="allphone")
            self._scripts[voice] = (self._put(voice), script)
        return self._scripts[voice]

    def _face(self, path: Path) -> ArtifactRef:
        """Inspected, as intake does before any production."""
        if path not in self._faces:
            self._faces[path] = self._put(path).model_copy(update={"media": probe(path)})
        return self._faces[path]

    def _put(self, path: Path) -> ArtifactRef:
        return self._store.put(path, MEDIA_TYPES.get(path.suffix.lower(), "video/mp4"))


@contextmanager
def studio() -> Iterator[Studio]:
    with tempfile.TemporaryDirectory() as folder:
        yield Studio(Path(folder))
