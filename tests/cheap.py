"""A project whose five providers are real, quick and small: pictures of one colour stand for videos.

For tests of what runs, when and why. What good media are is tested elsewhere, with the shipped providers.
"""

import re
import wave
from pathlib import Path

from tests.project import Project, make_project

MODULE = '''
import io
import wave

from PIL import Image

from contracts.artifacts import ArtifactRef, AudioInfo, MediaInfo, VideoInfo
from contracts.errors import ProviderFailed, ProviderRejected
from contracts.lipsync import LipSyncMetrics, LipSyncResult
from contracts.media import InspectionResult
from contracts.production import CheckLimits
from contracts.qa import QACheck, QAMetrics, QAReviewResult, Verdict
from contracts.script import ScriptResult
from contracts.tasks import LipSyncTask, MediaInspectionTask, QAReviewTask, ScriptGenerationTask, VideoAssemblyTask
from contracts.video import VideoAssemblyResult


class Look(MediaInspectionTask):
    """WAV by the standard library, pictures by Pillow, texts as they are."""

    def run(self, request):
        with self.context.artifacts.open(request.artifact) as stream:
            data = stream.read()
        if data.startswith(b"RIFF"):
            with wave.open(io.BytesIO(data)) as sound:
                rate, count = sound.getframerate(), sound.getnframes()
            length = {"sample_count": count, "duration_seconds": count / rate}
            audio = AudioInfo(codec="pcm", sample_rate_hz=rate, channels=1, **length)
            return InspectionResult(info=MediaInfo(kind="audio", duration_seconds=count / rate, audio=audio))
        if request.artifact.media_type.startswith("text/"):
            return InspectionResult(info=MediaInfo(kind="text"), text=data.decode())
        try:
            width, height = Image.open(io.BytesIO(data)).size
        except OSError as error:
            raise ProviderRejected(f"expected a picture, got something else ({error})") from error
        video = VideoInfo(codec="png", width=width, height=height, fps=0, frame_count=1, duration_seconds=0)
        return InspectionResult(info=MediaInfo(kind="image", video=video))


def picture(context, red, *seen):
    """A small picture as red as told; its other colours are made from everything that it was given."""
    colour = sum(sum(str(item).encode()) for item in seen) % 256
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (red, colour, 255 - colour)).save(file, "PNG")
    file.seek(0)
    return context.artifacts.put(file, "image/png")


def redness(context, ref):
    with context.artifacts.open(ref) as stream:
        return Image.open(stream).convert("RGB").getpixel((0, 0))[0]


class Script(ScriptGenerationTask):
    def run(self, request):
        text = ""
        if request.transcript is not None:
            with self.context.artifacts.open(request.transcript) as stream:
                text = stream.read().decode()
        return ScriptResult(text=text, language=request.language, confidence=0.9)


class Mouth(LipSyncTask):
    class Options(LipSyncTask.Options):
        shade: int = 1

    def run(self, request):
        red = min(40 * self.options.shade, 255)
        made = picture(self.context, red, request.video_stub.digest, request.script.text)
        return LipSyncResult(aligned_video=made, audio_track=request.audio_track, metrics=LipSyncMetrics(frame_count=1))


class Weighted(Mouth):
    """Its mouth hangs on a file of weights."""

    class Options(Mouth.Options):
        model: str = "net"


class Broken(Mouth):
    """Never makes anything."""

    def run(self, request):
        raise ProviderFailed("the mouth fell off")


class OtherMouth(Mouth):
    """Makes other bytes."""

    def run(self, request):
        made = picture(self.context, 200, request.video_stub.digest)
        return LipSyncResult(aligned_video=made, audio_track=request.audio_track)


class Film(VideoAssemblyTask):
    def run(self, request):
        seen = (request.aligned_video.digest, request.title, request.production.key)
        made = picture(self.context, redness(self.context, request.aligned_video), *seen)
        return VideoAssemblyResult(assembled_video=made)


class Judge(QAReviewTask):
    """Measures how red the picture is; decides only where it was told how red it must be."""

    class Options(QAReviewTask.Options):
        least: float | None = None

    def run(self, request):
        red, least = float(redness(self.context, request.video)), self.options.least
        status = "pass" if least is None or red >= least else "fail"
        limits = CheckLimits(fail_below=least or 0.0)
        check = QACheck(id="redness", title="How red it is", status=status, value=red, limits=limits)
        is_open = least is None or request.input_fidelity != "real"
        verdict = Verdict.REVIEW if is_open else Verdict.APPROVE if status == "pass" else Verdict.REJECT
        return QAReviewResult(verdict=verdict, checks=(check,), metrics=QAMetrics(duration_seconds=1.0))
'''
SELECTION = {"script": "Script", "lipsync": "Mouth", "video": "Film", "qa": "Judge", "media": "Look"}
OTHER_MOUTHS = {"othermouth": "OtherMouth", "weighted": "Weighted", "broken": "Broken", "alsobroken": "Broken"}


def make_cheap_project(root: Path) -> Project:
    """As ``make_project``; the provider of each capability is named as its class, in lower case."""
    project = make_project(root)
    (project.root / "cheap.py").write_text(MODULE)
    registry = project.root / "configs/tool_registry.yaml"
    text = registry.read_text()
    text = text[: text.index("\nproviders:")]
    for capability, name in SELECTION.items():
        text = re.sub(
            rf"^{capability}: .*$", f"{capability}: {{providers: [{name.lower()}]}}", text, flags=re.MULTILINE
        )
    text += "\nproviders:\n"
    for capability, name in SELECTION.items():
        text += f"  {capability}:\n    {name.lower()}: {{use: 'cheap:{name}'}}\n"
        if capability == "lipsync":
            text += "".join(f"    {other}: {{use: 'cheap:{made}'}}\n" for other, made in OTHER_MOUTHS.items())
    registry.write_text(text)
    return project


def second_of_sound(target: Path, number: int = 0) -> Path:
    """A WAV file of one second; another number, other bytes."""
    with wave.open(str(target), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes([number % 256, number // 256]) * 8000)
    return target
