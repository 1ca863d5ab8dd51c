"""Everything that is measured of one request, by decoding the finished file and the source: no judging here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.artifacts import ArtifactRef, FrameRange, MediaInfo, Span
from contracts.base import Fidelity
from contracts.context import ArtifactClient, ProviderContext
from contracts.errors import ContractViolation, ProviderRejected
from contracts.faces import FaceOptions
from contracts.qa import QAReviewRequest
from contracts.script import MouthCurve, Phone, ScriptResult
from providers._media.audio import read_audio_blocks
from providers._media.face_looks import FaceLooks
from providers._media.loudness import Loudness
from providers._media.mouth_places import MouthPlaces
from providers._media.sound_on_disk import SoundOnDisk, read_audio_to_disk
from providers.qa._signal_outside import BeforeMouth
from providers.qa._signal_pass import FilePass
from providers.qa._signal_picture import Picture, Watcher
from providers.qa._signal_sound import LEVEL_RATE_HZ, LISTEN_RATE_HZ, Sound, listen, true_spans
from providers.qa._signal_source import Comparison, compare
from providers.qa._signal_words import Placed, WordErrors, can_align, placed_words, word_errors

SPEECH_GAP_SECONDS, LEAST_SPEECH_SPAN_SECONDS = 0.3, 0.2


class Unreadable(Exception):
    """The finished file does not open, or nothing in it decodes."""


class Incomplete(Exception):
    """A file without a picture or without sound: there is nothing to gather. ``info``: what it is."""

    def __init__(self, info: MediaInfo) -> None:
        super().__init__(info.kind)
        self.info = info


@dataclass(frozen=True)
class Evidence:
    """``picture`` starts with the first frame and ``sound`` with the first sample; the offsets are their places in
    the file's own time, which begins with the earlier of the two.
    """

    info: MediaInfo
    damaged_seconds: tuple[float, ...]
    picture: Picture
    sound: Sound
    source: Sound
    comparison: Comparison
    clipped: tuple[Span, ...]
    loudness: Loudness
    speech: tuple[Span, ...]
    phones: tuple[Phone, ...]
    script: ScriptResult | None
    placed: Placed | None
    word_errors: WordErrors | None
    curve: MouthCurve | None
    untouched: tuple[FrameRange, ...]
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
    request: QAReviewRequest,
    context: ProviderContext,
    long_side: int,
    faces: FaceOptions,
    *,
    counts_word_errors: bool = False,
) -> Evidence:
    """Raises:
    Unreadable: the finished file does not decode.
    ProviderUnavailable: the file by which faces are to be found is missing, or no such file.
    ProviderRejected: the source recording does not decode, or a placed face lies outside of the picture.
    """
    artifacts = context.artifacts
    path = artifacts.fetch(request.video)
    eyes: list[FaceLooks] = []

    def watcher_of(size: tuple[int, int]) -> Watcher:
        eyes.append(FaceLooks(request.video, artifacts, faces, context.models or {}, size))
        before = BeforeMouth(artifacts.fetch(request.before_mouth)) if request.before_mouth else None
        return Watcher(MouthPlaces(eyes[0], faces.choose), before)

    aligns = can_align(request.script)
    known = request.video.media.video if request.video.media else None
    file = FilePass(
        watcher_of,
        long_side,
        context.progress,
        frame_count=known.frame_count if known else 0,
        keeps_sound=aligns or counts_word_errors,
    )
    try:
        info = file.run(path)
    except ProviderRejected as error:
        if file.has_begun:
            raise  # the file decodes; something else was refused
        raise Unreadable(str(error)) from error
    if info.video is None or info.audio is None:
        raise Incomplete(info)
    picture, heard = file.picture(), file.sound()
    eyes[0].keep()
    recording = artifacts.fetch(request.audio_track)
    source = _heard(recording)
    comparison = compare(heard.sound, source)
    begin = min(info.video.start_seconds, info.audio.start_seconds)
    return Evidence(
        info=info,
        damaged_seconds=tuple(file.damaged_seconds),
        picture=picture,
        sound=heard.sound,
        source=source,
        comparison=comparison,
        clipped=heard.clipped,
        loudness=heard.loudness,
        speech=_speech(request.script, source),
        phones=_spoken(request.script),
        script=request.script,
        placed=placed_words(heard.samples, request.script, comparison.shift_seconds) if aligns else None,
        word_errors=_word_errors(heard.samples, recording, request.script) if counts_word_errors else None,
        curve=_curve(artifacts, request.mouth_curve),
        untouched=request.untouched,
        subrip=_subrip(artifacts, request.script),
        picture_offset_seconds=info.video.start_seconds - begin,
        sound_offset_seconds=info.audio.start_seconds - begin,
    )


def _word_errors(samples: SoundOnDisk | None, recording: Path, script: ScriptResult | None) -> WordErrors | None:
    if samples is None or script is None or not script.has_confident_words:
        return None
    return word_errors(samples, read_audio_to_disk(recording, LISTEN_RATE_HZ), script)


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
