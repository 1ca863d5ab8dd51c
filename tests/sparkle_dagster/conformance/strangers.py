"""A stranger's package: one provider that keeps every promise, and one for each way to break one.

It is written into a folder of its own and knows nothing of these tests. The good one reads a WAV with the standard
library and writes one caption.
"""

import io
import os
import time
import wave
from typing import Any

from pydantic import ConfigDict

from contracts.artifacts import ArtifactRef
from contracts.errors import ProviderRejected
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ScriptGenerationTask


class OneCaption(ScriptGenerationTask):
    """One caption over the whole recording."""

    class Options(ScriptGenerationTask.Options):
        text: str = "somebody speaks"

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        seconds = self.seconds(request)
        self.context.progress(1, 2, "measured")
        captions = self.caption(request, seconds)
        self.context.progress(2, 2, "written")
        return ScriptResult(text=self.options.text, duration_seconds=seconds, captions_srt=captions)  # type: ignore[attr-defined]

    def seconds(self, request: ScriptGenerationRequest) -> float:
        try:
            with wave.open(str(self.context.artifacts.fetch(request.audio_track))) as sound:
                return sound.getnframes() / sound.getframerate()
        except (wave.Error, EOFError) as error:
            raise ProviderRejected("expected the recording to be a WAV file, it is not one") from error

    def caption(self, request: ScriptGenerationRequest, seconds: float) -> ArtifactRef | None:
        text = f"1\n00:00:00,000 --> 00:00:{int(seconds):02d},000\n{self.options.text}\n"  # type: ignore[attr-defined]
        return self.context.artifacts.put(io.BytesIO(text.encode()), "application/x-subrip")


class Wordless(OneCaption):
    pass


class TakesAnything(OneCaption):
    """A typo in its options goes unnoticed."""

    class Options(OneCaption.Options):
        model_config = ConfigDict(extra="allow")


class AsksForAnOption(OneCaption):
    """Does not run as it is."""

    class Options(OneCaption.Options):
        voice_name: str


class AnswersWithADictionary(OneCaption):
    """Not the contract."""

    def run(self, request: ScriptGenerationRequest) -> Any:
        self.seconds(request)
        return {"text": "hello"}


class NamesWhatItNeverStored(OneCaption):
    """A reference made up."""

    def caption(self, request: ScriptGenerationRequest, seconds: float) -> ArtifactRef | None:
        digest = "ab" * 32
        path = f"cas/sha256/ab/{digest}"
        return ArtifactRef(path=path, checksum=f"sha256:{digest}", size_bytes=3, media_type="application/x-subrip")


class CallsBytesAVideo(OneCaption):
    """Placeholder bytes under the name of a medium."""

    def caption(self, request: ScriptGenerationRequest, seconds: float) -> ArtifactRef | None:
        return self.context.artifacts.put(io.BytesIO(b"placeholder"), "video/mp4")


class HandsOnAndSaysReal(OneCaption):
    """Does nothing and calls it real."""

    def caption(self, request: ScriptGenerationRequest, seconds: float) -> ArtifactRef | None:
        return request.transcript


class TellsTheTime(OneCaption):
    """Another answer at every run."""

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        return super().run(request).model_copy(update={"text": str(time.time_ns())})


class Litters(OneCaption):
    """Leaves a file where it stands."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        with open("cache.bin", "w") as cache:  # noqa: PTH123
            cache.write("x")
        return super().seconds(request)


class SetsAVariable(OneCaption):
    """Changes the process for everybody."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        os.environ["OMP_NUM_THREADS"] = f"{int(os.environ.get('OMP_NUM_THREADS', 0)) + 1}"
        return super().seconds(request)


class GoesBack(OneCaption):
    """Progress that goes back."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        self.context.progress(9, 10, "nearly there")
        return super().seconds(request)


class TakesNoise(OneCaption):
    """Bad input is good enough."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        try:
            return super().seconds(request)
        except ProviderRejected:
            return 0.0


class FailsOnNoise(OneCaption):
    """Bad input is taken for its own failure, and would be tried again."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        try:
            return super().seconds(request)
        except ProviderRejected as error:
            raise ValueError("no good") from error


class DiesOnNoise(OneCaption):
    """Takes its process with it."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        try:
            return super().seconds(request)
        except ProviderRejected:
            print("cannot go on", flush=True)
            os._exit(3)


class HangsOnNoise(OneCaption):
    """Never comes back."""

    def seconds(self, request: ScriptGenerationRequest) -> float:
        try:
            return super().seconds(request)
        except ProviderRejected:
            time.sleep(3600)
            return 0.0


class NeedsAMachine(OneCaption):
    """Cannot run here."""

    @classmethod
    def unavailable(cls, options: Any) -> str | None:
        return "needs a quantum computer; buy one"
