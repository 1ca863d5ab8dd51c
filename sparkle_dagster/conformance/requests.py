"""Small real media, and the requests of each capability made from them.

The face and the voice lie beside this module (public domain, from ``samples/``); everything else is made here: the
film by the installed assembly provider, damaged files from whole ones.
"""

import io
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ProviderContext
from contracts.errors import ConfigError, NotApplicable, ProviderRejected
from contracts.lipsync import LipSyncRequest
from contracts.media import InspectionRequest
from contracts.production import DeliveryProfile, ProductionSpec, TaskRequest
from contracts.qa import QAReviewRequest, QAReviewResult, Verdict
from contracts.script import Line, MouthCurve, Phone, ScriptGenerationRequest, ScriptResult, Word
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.trial import CaseFailed, Trial
from sparkle_dagster.registry.discovery import load_class, registered_providers

MEDIA = Path(__file__).parent / "media"
WORDS = "Unless to be rather cold-hearted"
VOICE_SECONDS = 2.22
PHONES = ("AH", "N", "L", "EH", "S", "SIL", "T", "UW", "B", "IY", "R", "AE", "DH", "ER", "K", "OW", "L", "D")
_NOISE = bytes(range(256)) * 16
_PROFILE = DeliveryProfile(preset="ultrafast", max_long_side=320)
"""Small and quick; no provider's work depends on it."""


@dataclass(frozen=True)
class SmallMedia:
    """A person who says a few words, as artifacts of a store."""

    store: LocalArtifactStore

    @property
    def voice(self) -> ArtifactRef:
        """2.2 s, 16 kHz mono."""
        return self.store.put(MEDIA / "voice.wav", "audio/wav")

    @property
    def face(self) -> ArtifactRef:
        """A frontal portrait, 320 pixels square."""
        return self.store.put(MEDIA / "face.jpg", "image/jpeg")

    @cached_property
    def film(self) -> ArtifactRef:
        """The portrait as a video with the voice; the face stands still."""
        provider = load_class(registered_providers()["video", "pyav"].target)
        with tempfile.TemporaryDirectory() as folder:
            context = ProviderContext(logging.getLogger("sparkle.conformance"), self.store, Path(folder))
            production = ProductionSpec(profile=_PROFILE)
            request = VideoAssemblyRequest(aligned_video=self.face, audio_track=self.voice, production=production)
            result: VideoAssemblyResult = provider(provider.Options(), context).run(request)
        return result.assembled_video

    @property
    def transcript(self) -> ArtifactRef:
        return self.store.put(io.BytesIO(WORDS.encode()), "text/plain")

    @property
    def half_a_picture(self) -> ArtifactRef:
        whole = (MEDIA / "face.jpg").read_bytes()
        return self.store.put(io.BytesIO(whole[: len(whole) // 2]), "image/jpeg")

    def noise_as(self, media_type: str) -> ArtifactRef:
        """Bytes that are no medium and claim to be one."""
        return self.store.put(io.BytesIO(_NOISE), media_type)

    @property
    def script(self) -> ScriptResult:
        """The words, evenly over the voice, and a few phones."""
        words = WORDS.split()
        step = VOICE_SECONDS / len(words)
        placed = tuple(
            Word(text=word, start_seconds=number * step, end_seconds_exclusive=(number + 1) * step)
            for number, word in enumerate(words)
        )
        phones = tuple(
            Phone(symbol=symbol, start_seconds=number * 0.1, end_seconds_exclusive=(number + 1) * 0.1)
            for number, symbol in enumerate(PHONES)
        )
        line = Line(text=WORDS, start_seconds=0, end_seconds_exclusive=VOICE_SECONDS, words=placed)
        return ScriptResult(
            duration_seconds=VOICE_SECONDS,
            text=WORDS,
            lines=(line,),
            phones=phones,
            phones_origin="aligned",
            words_origin="transcript",
            confidence=1.0,
        )

    @property
    def curve(self) -> ArtifactRef:
        curve = MouthCurve(rate_hz=25, opening=tuple(0.5 for _ in range(55)), origin="aligned")
        return self.store.put(io.BytesIO(curve.model_dump_json().encode()), "application/json")


def good_request(trial: Trial, media: SmallMedia) -> TaskRequest:
    """The first of the capability's standard requests that this provider is for.

    Raises:
        ConfigError: a capability that has none, or the provider is for none of them.
    """
    capability = trial.provider.capability
    requests = list(_standard_requests(capability, media))
    if not requests:
        raise ConfigError(
            f"there is no standard request of {capability!r}; write a test of a few lines with "
            "sparkle_dagster.conformance.pytest_cases.ProviderCases and a good_request of your own"
        )
    refusals: list[str] = []
    for request in requests:
        reason = trial.provider.not_applicable(trial.options, request) or _refusal(trial, request)
        if reason is None:
            return request
        refusals.append(reason)
    raise ConfigError(f"expected it to take a standard request of {capability}, it says: {'; '.join(refusals)}")


def bad_requests(trial: Trial, media: SmallMedia) -> Mapping[str, TaskRequest]:
    """The good request with one input damaged; none for a provider that hands its inputs on unopened."""
    if trial.result.fidelity is Fidelity.PASSTHROUGH:
        return {}
    request = trial.good_request
    damaged = {"media": {"artifact": media.half_a_picture}}.get(trial.provider.capability, {})
    noise = {name: media.noise_as(getattr(request, name).media_type) for name in _OPENED[trial.provider.capability]}
    return {
        f"{name} that is {'half a picture' if damaged else 'noise'}": request.model_copy(update={name: ref})
        for name, ref in (damaged or noise).items()
    }


_OPENED: Mapping[str, tuple[str, ...]] = {
    "script": ("audio_track",),
    "lipsync": ("audio_track", "video_stub"),
    "video": ("audio_track", "aligned_video"),
    "qa": ("audio_track",),
    "media": (),
}
"""Inputs that whoever does this work must have opened."""


def _standard_requests(capability: str, media: SmallMedia) -> Iterator[TaskRequest]:
    production = ProductionSpec(profile=_PROFILE)
    match capability:
        case "script":
            yield ScriptGenerationRequest(
                audio_track=media.voice, transcript=media.transcript, language="en", production=production
            )
        case "lipsync":
            for face in (media.face, media.film):
                yield LipSyncRequest(
                    audio_track=media.voice, video_stub=face, script=media.script, production=production
                )
        case "video":
            yield VideoAssemblyRequest(
                aligned_video=media.film, audio_track=media.voice, title="A title", production=production
            )
        case "qa":
            request = QAReviewRequest(
                video=media.film, audio_track=media.voice, mouth_curve=media.curve, production=production
            )
            yield request
            yield request.model_copy(update={"review": QAReviewResult(verdict=Verdict.REVIEW)})
        case "media":
            yield InspectionRequest(artifact=media.film, production=production)
        case _:
            return


def _refusal(trial: Trial, request: TaskRequest) -> str | None:
    """Why it is not for this request, where only running it tells."""
    try:
        trial.run(request)
    except NotApplicable as refusal:
        return str(refusal)
    except (CaseFailed, ProviderRejected):
        return None  # for it, and wrong: the cases say so
    return None
