"""What the script providers share: reading the sound, lines out of words, captions, the finished result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from contracts.artifacts import ArtifactRef, Span
from contracts.context import ArtifactClient, ProviderContext
from contracts.script import Line, Phone, ScriptGenerationRequest, ScriptMetrics, ScriptResult, Word
from providers._media.sound_on_disk import SoundOnDisk, read_audio_to_disk
from providers._speech.captions import make_cues, to_srt, to_vtt
from providers._speech.decoding import SAMPLE_RATE_HZ
from providers._speech.phones import covered
from providers._speech.voice_activity import speech_spans

SILENT_NOTE = "Nobody speaks in this recording: the script has no lines."


@dataclass(frozen=True)
class Sound:
    """The request's audio, read once."""

    samples: SoundOnDisk
    duration_seconds: float
    speech: tuple[Span, ...]


def read_sound(request: ScriptGenerationRequest, context: ProviderContext) -> Sound:
    """Raises: ProviderRejected: no sound in the file."""
    context.progress(0.0, 1.0, "reading the sound")
    samples = read_audio_to_disk(context.artifacts.fetch(request.audio_track), SAMPLE_RATE_HZ)
    return Sound(samples, round(samples.size / SAMPLE_RATE_HZ, 3), speech_spans(samples))


def reporter(context: ProviderContext, sound: Sound, first: float, last: float, note: str) -> Callable[[float], None]:
    """Seconds of sound as progress between two shares of the whole."""
    total = max(sound.duration_seconds, 0.001)
    return lambda seconds: context.progress(first + (last - first) * min(1.0, seconds / total), 1.0, note)


def line_of(words: Sequence[Word], text: str) -> Line:
    """A line from its words; its confidence is theirs, weighted by length."""
    weights = [len(word.text) for word in words]
    weighted = sum(word.confidence * weight for word, weight in zip(words, weights, strict=True))
    return Line(
        text=text,
        start_seconds=words[0].start_seconds,
        end_seconds_exclusive=words[-1].end_seconds_exclusive,
        confidence=round(weighted / max(1, sum(weights)), 3),
        words=tuple(words),
    )


def finished(
    request: ScriptGenerationRequest,
    context: ProviderContext,
    sound: Sound,
    *,
    lines: Iterable[Line] = (),
    phones: Iterable[Phone] = (),
    **fields: Any,
) -> ScriptResult:
    """The result with captions, metrics and phones over the whole duration."""
    lines = tuple(lines)
    phones = covered(phones, sound.duration_seconds)
    captions, count = _captions(lines, sound.duration_seconds, context.artifacts)
    context.progress(1.0, 1.0, "script ready")
    return ScriptResult(
        language=request.language,
        duration_seconds=sound.duration_seconds,
        text="\n".join(line.text for line in lines),
        lines=lines,
        phones=phones,
        speech=sound.speech,
        metrics=ScriptMetrics(
            word_count=sum(len(line.words) for line in lines),
            phone_count=len(phones),
            speech_seconds=round(sum(span.duration_seconds for span in sound.speech), 3),
            caption_count=count,
        ),
        **captions,
        **fields,
    )


def silent(request: ScriptGenerationRequest, context: ProviderContext, sound: Sound, **fields: Any) -> ScriptResult:
    """The finished result for sound in which nobody speaks: no lines, confidence 0, and it says so."""
    notes = (SILENT_NOTE, *fields.pop("notes", ()))
    return finished(request, context, sound, notes=notes, confidence=0.0, **fields)


def _captions(
    lines: Sequence[Line], duration_seconds: float, artifacts: ArtifactClient
) -> tuple[dict[str, ArtifactRef], int]:
    cues = make_cues(lines, duration_seconds)
    if not cues:
        return {}, 0
    srt = artifacts.put(BytesIO(to_srt(cues)), "application/x-subrip")
    vtt = artifacts.put(BytesIO(to_vtt(cues)), "text/vtt")
    return {"captions_srt": srt, "captions_vtt": vtt}, len(cues)
