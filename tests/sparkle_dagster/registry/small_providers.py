"""Real, small providers for the registry's tests: each does one thing, right or wrong."""

import ctypes
import io
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef, AudioInfo, MediaInfo
from contracts.base import Fidelity
from contracts.errors import NotApplicable, ProviderFailed, ProviderRejected
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.media import InspectionRequest, InspectionResult
from contracts.production import TaskRequest
from contracts.tasks import LipSyncTask, MediaInspectionTask, ProviderOptions, VideoAssemblyTask
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult


class WaveInspector(MediaInspectionTask):
    """Decodes WAV with the standard library; everything else but text is rejected."""

    def run(self, request: InspectionRequest) -> InspectionResult:
        with self.context.artifacts.open(request.artifact) as stream:
            data = stream.read()
        if not data.startswith(b"RIFF"):
            if request.artifact.media_type.startswith("text/"):
                return InspectionResult(info=MediaInfo(kind="text"), text=data[:2000].decode())
            raise ProviderRejected("expected RIFF at the start, got something else")
        with wave.open(io.BytesIO(data)) as sound:
            rate, samples = sound.getframerate(), len(sound.readframes(10**9)) // sound.getsampwidth()
        audio = AudioInfo(
            codec="pcm_s16le", sample_rate_hz=rate, channels=1, sample_count=samples, duration_seconds=samples / rate
        )
        text = self.context.artifacts.put(io.BytesIO(b"waveform"), "text/plain")
        info = MediaInfo(kind="audio", container="wav", duration_seconds=samples / rate, audio=audio)
        return InspectionResult(info=info, waveform=text)


class HandsOn(LipSyncTask):
    """The video stub as it came."""

    class Options(ProviderOptions):
        fidelity: Fidelity = Fidelity.DEGRADED
        note: str = ""

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        return LipSyncResult(
            aligned_video=request.video_stub,
            audio_track=request.audio_track,
            fidelity=self.options.fidelity,
            notes=(self.options.note,) if self.options.note else (),
        )


class SaysWhatIsLoaded(HandsOn):
    """Whether its process has a module."""

    class Options(HandsOn.Options):
        module: str

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        return super().run(request).model_copy(update={"notes": (str(self.options.module in sys.modules),)})


class PreloadsForItself(SaysWhatIsLoaded):
    preload = ("pyclbr",)


class PreloadsEarly(SaysWhatIsLoaded):
    preload = ("tabnanny",)


class NeedsWeights(HandsOn):
    """Wants a file of weights by its name in the registry."""

    class Options(HandsOn.Options):
        model: str = "net"


class Derives(HandsOn):
    """Makes something of the video stub alone, where nobody has yet; its note says which."""

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        artifacts, key = self.context.artifacts, f"{request.video_stub.digest}/derived/1"
        found = artifacts.named(key)
        if found is None:
            artifacts.name(key, artifacts.put(io.BytesIO(b"derived"), "text/plain"))
        return super().run(request).model_copy(update={"notes": ("found" if found else "made",)})


class NoOp(HandsOn):
    version = "noop-1"

    class Options(ProviderOptions):
        fidelity: Fidelity = Fidelity.PASSTHROUGH
        note: str = ""


class SaysWhatItSees(LipSyncTask):
    """Its context, as notes, log records, progress and output."""

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        print("to standard output")
        self.context.logger.warning("a warning of %s", "the provider")
        self.context.progress(1, 2, "half")
        self.context.progress(2, 2, "all")
        (self.context.temp_dir / "left.txt").write_text("left behind")
        notes = (
            str(self.context.temp_dir),
            str(Path.cwd() == self.context.temp_dir),
            ",".join(sorted(os.environ)),
            ",".join(f"{name}={model.licence}" for name, model in sorted((self.context.models or {}).items())),
        )
        return LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track, notes=notes)


class Unavailable(HandsOn):
    @classmethod
    def unavailable(cls, options: ProviderOptions) -> str | None:
        return "no weights at weights.pth; fetch them with: sparkle models fetch"


class NotForEnglish(HandsOn):
    @classmethod
    def not_applicable(cls, options: ProviderOptions, request: TaskRequest) -> str | None:
        return "does not know en" if getattr(request, "language", "") == "en" else None


class FindsOutLate(HandsOn):
    def run(self, request: LipSyncRequest) -> LipSyncResult:
        raise NotApplicable("no face that it knows")


class Fails(LipSyncTask):
    """Fails ``times`` times, counted in a file; each start is one line there."""

    class Options(ProviderOptions):
        count_file: str = ""
        times: int = 10**6

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        if self.options.count_file:
            with Path(self.options.count_file).open("a") as stream:
                stream.write("started\n")
            if len(Path(self.options.count_file).read_text().splitlines()) > self.options.times:
                return LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track)
        raise ProviderFailed("the mouth fell off")


class Raises(LipSyncTask):
    """Ends with something that is no typed error."""

    class Options(ProviderOptions):
        how: str

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        if self.options.how == "rejects":
            raise ProviderRejected("no voice in the recording")
        if self.options.how == "exits":
            sys.exit(3)
        if self.options.how == "interrupts":
            raise KeyboardInterrupt
        if self.options.how == "memory":
            raise MemoryError
        if self.options.how == "unreadable":
            raise UnreadableError
        raise ZeroDivisionError("a very ordinary bug")


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message for you")


class Dies(LipSyncTask):
    class Options(ProviderOptions):
        how: str

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        print("these were its last words")
        if self.options.how == "segfault":
            ctypes.string_at(0)
        if self.options.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)


class Hangs(LipSyncTask):
    """Never ends, ignores SIGTERM, and leaves processes that left its session or lost their parent."""

    class Options(ProviderOptions):
        marker: str
        ends: bool = False

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stubborn = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        command = [sys.executable, "-c", stubborn, self.options.marker]
        subprocess.Popen(command)
        subprocess.Popen(command, start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execve(sys.executable, command, {})  # not even the environment names it
            os._exit(0)
        (self.context.temp_dir / "big.bin").write_bytes(bytes(1000))
        self.context.progress(1, 2, "hanging")
        if self.options.ends:
            return LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track)
        while True:
            time.sleep(1)


class KillsItsSupervisor(LipSyncTask):
    class Options(ProviderOptions):
        marker: str

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        command = [sys.executable, "-c", "import time; time.sleep(600)", self.options.marker]
        subprocess.Popen(command, start_new_session=True)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
        raise AssertionError


class Answers(LipSyncTask):
    """An answer that is not what it should be."""

    class Options(ProviderOptions):
        what: str

    def run(self, request: LipSyncRequest) -> Any:
        result = LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track)
        foreign = ArtifactRef(path="cas/nothing", checksum="sha256:" + "0" * 64, size_bytes=1, media_type="video/mp4")
        return {
            "a dictionary": result.model_dump(),
            "nothing": None,
            "broken": LipSyncResult.model_construct(aligned_video="nowhere"),
            "nan": result.model_copy(update={"metrics": {"fps": float("nan")}}),
            "foreign": result.model_copy(update={"aligned_video": foreign}),
            "forged": result.model_copy(
                update={"aligned_video": request.video_stub.model_copy(update={"media": MediaInfo(kind="video")})}
            ),
            "huge": result.model_copy(update={"notes": ("x" * 2**20,) * 40}),
        }[self.options.what]


class Writes(LipSyncTask):
    """Puts ``text``, or the request's sound again, as ``media_type``."""

    class Options(ProviderOptions):
        media_type: str
        text: str = ""

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        source: Any = io.BytesIO(self.options.text.encode())
        if not self.options.text:
            source = self.context.artifacts.fetch(request.audio_track)
        made = self.context.artifacts.put(source, self.options.media_type)
        return LipSyncResult(aligned_video=made, audio_track=request.audio_track)


class ReadsWhatIsNotItsOwn(LipSyncTask):
    class Options(ProviderOptions):
        digest: str
        path: str
        size_bytes: int

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        ref = ArtifactRef(
            path=self.options.path,
            checksum=f"sha256:{self.options.digest}",
            size_bytes=self.options.size_bytes,
            media_type="text/plain",
        )
        self.context.artifacts.open(ref)
        return LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track)


class PrintsMuch(HandsOn):
    def run(self, request: LipSyncRequest) -> LipSyncResult:
        for number in range(40_000):
            print(f"line {number} " + "x" * 50)
        print("the very last line")
        return super().run(request)


class OtherTrade(VideoAssemblyTask):
    def run(self, request: VideoAssemblyRequest) -> VideoAssemblyResult:
        return VideoAssemblyResult(assembled_video=request.aligned_video)


class WithoutRun(LipSyncTask):
    """Abstract: it forgot its one method."""


class NeedsASecret(HandsOn):
    class Options(ProviderOptions):
        secret: str
        fidelity: Fidelity = Fidelity.REAL
        note: str = ""


class OnGpu(HandsOn):
    lane = "gpu"


class Waits(HandsOn):
    """Writes a line into ``log``, waits until there is a file, and notes when it began and ended."""

    class Options(HandsOn.Options):
        log: str
        until: str

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        began = time.monotonic()
        with Path(self.options.log).open("a") as stream:
            stream.write("begins\n")
        while not Path(self.options.until).exists():
            time.sleep(0.02)
        return super().run(request).model_copy(update={"notes": (str(began), str(time.monotonic()))})


class StaysLoaded(LipSyncTask):
    """Warm: reads its weights when it is built, a line of ``count_file`` each time. A request's metadata says how it
    ends."""

    warm = True

    class Options(ProviderOptions):
        count_file: str
        marker: str = ""
        name: str = ""

    def __init__(self, options: Any, context: Any) -> None:
        super().__init__(options, context)
        self.weights = b"\1" * (64 * 2**20)
        self.runs = 0
        with Path(options.count_file).open("a") as stream:
            stream.write(f"{os.getpid()}\n")

    def run(self, request: LipSyncRequest) -> LipSyncResult:
        self.runs += 1
        match request.metadata.get("how"):
            case "hangs":
                stubborn = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
                subprocess.Popen([sys.executable, "-c", stubborn, self.options.marker], start_new_session=True)
                self.context.progress(1, 2, "hanging")
                time.sleep(600)
            case "waits":
                self.context.progress(1, 2, "waiting")
                while not Path(str(request.metadata["until"])).exists():
                    time.sleep(0.02)
            case "segfault":
                ctypes.string_at(0)
            case "memory":
                raise MemoryError
            case "bug":
                raise ZeroDivisionError("a very ordinary bug")
            case "rejects":
                raise ProviderRejected("no voice in the recording")
            case "loses its supervisor":
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", self.options.marker])
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(600)
            case _:
                pass
        print("to standard output")
        self.context.progress(2, 2, "all")
        (self.context.temp_dir / "left.txt").write_text("left behind")
        notes = (
            str(self.runs),
            str(os.getpid()),
            str(self.context.temp_dir),
            ",".join(path.name for path in Path().iterdir()),
        )
        return LipSyncResult(aligned_video=request.video_stub, audio_track=request.audio_track, notes=notes)
