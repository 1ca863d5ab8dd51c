"""Everything that is measured of one request, by decoding the finished file and the source: no judging here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.artifacts import ArtifactRef, MediaInfo, Span
from contracts.base import Fidelity
from contracts.context import ArtifactClient, Progress, ProviderContext
from contracts.errors import ContractViolation, ProviderRejected
from contracts.faces import FaceOptions
from contracts.qa import QAReviewRequest
from contracts.script import MouthCurve, Phone, ScriptResult
from providers._media.audio import read_audio_blocks
from providers._media.face_looks import FaceLooks
from providers._media.frames import Frame, read_frames
from providers._media.loudness import Loudness, measure
from providers._media.mouth_places import MouthPlaces
from providers.qa._signal_picture import Picture, watch
from providers.qa._signal_sound import LEVEL_RATE_HZ, LISTEN_RATE_HZ, Sound, clipped_spans, listen, true_spans
from providers.qa._signal_source import Comparison, compare

SPEECH_GAP_SECONDS, LEAST_SPEECH_SPAN_SECONDS = 0.3, 0.2


@dataclass(frozen=True)
class Evidence:
    """``picture`` starts with the first frame and ``sound`` with the first sample; the offsets are their places in
    the file's own time, which begins with the earlier of the two.
    """

    info: MediaInfo
    picture: Picture
    sound: Sound
    source: Sound
    comparison: Comparison
    clipped: tuple[Span, ...]
    loudness: Loudness
    speech: tuple[Span, ...]
    phones: tuple[Phone, ...]
    curve: MouthCurve | None
    subrip: str | None
    picture_offset_seconds: float
    sound_offset_seconds: float

    @property
    def picture_end_seconds(self) -> float:
        return self.picture_offset_seconds + self.picture.end_seconds

    @property
    def sound_end_seconds(self) -> float:
        return self.sound_offset_seconds + self.sound.duration_seconds


def gather(
    request: QAReviewRequest, info: MediaInfo, context: ProviderContext, long_side: int, faces: FaceOptions
) -> Evidence:
    """``info`` is of a file with picture and sound.

    Raises:
        ProviderUnavailable: the file by which faces are to be found is missing, or no such file.
        ProviderRejected: the source recording, or the file after all, does not decode.
    """
    if info.video is None or info.audio is None:
        raise ValueError("expected facts of a file with picture and sound")
    artifacts = context.artifacts
    path = artifacts.fetch(request.video)
    eye = FaceLooks(request.video, artifacts, faces, context.models or {}, (info.video.width, info.video.height))
    frames = _counted(read_frames(path, max_long_side=long_side), info.video.frame_count, context.progress)
    picture = watch(frames, MouthPlaces(eye, faces.choose))
    eye.keep()
    sound = _heard(path)
    source = _heard(artifacts.fetch(request.audio_track))
    begin = min(info.video.start_seconds, info.audio.start_seconds)
    return Evidence(
        info=info,
        picture=picture,
        sound=sound,
        source=source,
        comparison=compare(sound, source),
        clipped=clipped_spans(read_audio_blocks(path), info.audio.sample_rate_hz),
        loudness=measure(path),
        speech=_speech(request.script, source),
        phones=_spoken(request.script),
        curve=_curve(artifacts, request.mouth_curve),
        subrip=_subrip(artifacts, request.script),
        picture_offset_seconds=info.video.start_seconds - begin,
        sound_offset_seconds=info.audio.start_seconds - begin,
    )


def _counted(frames: Iterator[Frame], frame_count: int, progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        progress(frame.index, max(frame_count, frame.index + 1), "looking at the picture")
        yield frame


def _heard(path: Path) -> Sound:
    return listen(read_audio_blocks(path, sample_rate_hz=LISTEN_RATE_HZ, mono=True))


def _speech(script: ScriptResult | None, source: Sound) -> tuple[Span, ...]:
    """Where phones were heard, else the script's stretches of speech, which bridge pauses; without a script stage
    that really ran, wherever the recording is clearly heard.
    """
    if script is None or script.fidelity not in {Fidelity.REAL, Fidelity.DEGRADED}:
        return _bridged(true_spans(source.is_active, LEVEL_RATE_HZ))
    spoken = _spoken(script)
    if not spoken:
        return script.speech
    return _bridged(
        Span(start_seconds=phone.start_seconds, end_seconds_exclusive=phone.end_seconds_exclusive) for phone in spoken
    )


def _spoken(script: ScriptResult | None) -> tuple[Phone, ...]:
    return tuple(phone for phone in script.phones if phone.symbol != "SIL") if script else ()


def _bridged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Short gaps closed, then what is too short left out."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_seconds - joined[-1].end_seconds_exclusive < SPEECH_GAP_SECONDS:
            start = joined.pop().start_seconds
            span = Span(start_seconds=start, end_seconds_exclusive=span.end_seconds_exclusive)
        joined.append(span)
    return tuple(span for span in joined if span.duration_seconds >= LEAST_SPEECH_SPAN_SECONDS)


def _curve(artifacts: ArtifactClient, ref: ArtifactRef | None) -> MouthCurve | None:
    if ref is None:
        return None
    try:
        return MouthCurve.parse_json(_read(artifacts, ref))
    except ContractViolation as error:
        raise ProviderRejected(f"expected a mouth curve from lip-sync, got something else: {error}") from error


def _subrip(artifacts: ArtifactClient, script: ScriptResult | None) -> str | None:
    if script is None or script.captions_srt is None:
        return None
    return _read(artifacts, script.captions_srt).decode("utf-8", errors="replace")


def _read(artifacts: ArtifactClient, ref: ArtifactRef) -> bytes:
    with artifacts.open(ref) as stream:
        return stream.read()


def total_seconds(spans: Sequence[Span]) -> float:
    return sum(span.duration_seconds for span in spans)
