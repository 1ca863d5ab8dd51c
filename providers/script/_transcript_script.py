"""A script from a written transcript: aligned where the sound supports it, estimated where it does not."""

from collections.abc import Iterator, Sequence

from contracts.artifacts import Span
from contracts.base import Fidelity
from contracts.context import ProviderContext
from contracts.errors import NotApplicable
from contracts.script import Line, ScriptGenerationRequest, ScriptResult, Word
from providers._speech.alignment import Alignment, NotAligned, align
from providers._speech.phones import allphone
from providers._speech.spreading import spread
from providers._speech.text import line_text, sentences, tokens
from providers.script._script import Sound, finished, line_of, read_sound, reporter, silent
from providers.script._transcript_file import TimedText, Transcript, read_transcript

ESTIMATED_CONFIDENCE = 0.2  # nobody listened to where the words are
CUE_CONFIDENCE = 0.4  # a person timed the cue, not the words in it
_MIN_NOTED_SECONDS = 1.0


def script_from_transcript(
    request: ScriptGenerationRequest, context: ProviderContext, *, min_confidence: float
) -> ScriptResult:
    """Raises: ProviderRejected: no sound, or the transcript is not text. NotApplicable: it holds no words."""
    if request.transcript is None:
        raise NotApplicable("no transcript came with this recording")
    with context.artifacts.open(request.transcript) as stream:
        transcript = read_transcript(stream.read())
    if not tokens(transcript.text):
        raise NotApplicable("the transcript that came with this recording holds no words")
    sound = read_sound(request, context)
    if not sound.speech:
        note = "The transcript was not used: there is no speech to place it on."
        return silent(request, context, sound, fidelity=Fidelity.DEGRADED, notes=(note,))
    if not is_english(request.language):
        why = f"The aligner knows English only and the language is {request.language!r}"
        return _estimated(request, context, sound, transcript, why)
    try:
        alignment = align(
            sound.samples,
            transcript.text,
            min_confidence=min_confidence,
            progress=reporter(context, sound, 0.0, 0.8, "aligning the words"),
        )
    except NotAligned as reason:
        why = f"The transcript does not fit the recording ({reason})"
        return _estimated(request, context, sound, transcript, why)
    return _aligned(request, context, sound, transcript, alignment)


def is_english(language: str) -> bool:
    return language.lower().split("-")[0] in {"en", "eng"}


def _aligned(
    request: ScriptGenerationRequest,
    context: ProviderContext,
    sound: Sound,
    transcript: Transcript,
    alignment: Alignment,
) -> ScriptResult:
    return finished(
        request,
        context,
        sound,
        lines=_lines(transcript.text, alignment.words),
        phones=alignment.phones,
        phones_origin="aligned",
        words_origin="transcript",
        confidence=alignment.confidence,
        notes=tuple(_doubts(alignment)),
    )


def _doubts(alignment: Alignment) -> Iterator[str]:
    missing = [word.text for word in alignment.words if word.confidence == 0]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        yield f"Not heard as written: {len(missing)} of {len(alignment.words)} words ({shown})."
    seconds = sum(span.duration_seconds for span in alignment.unwritten)
    if seconds >= _MIN_NOTED_SECONDS:
        yield f"For {seconds:.1f} seconds something is said that is not in the transcript."


def _estimated(
    request: ScriptGenerationRequest, context: ProviderContext, sound: Sound, transcript: Transcript, why: str
) -> ScriptResult:
    """Words at the cues' times or spread over the speech, phones by ear; degraded, and it says why."""
    cues = _usable(transcript.cues, sound.duration_seconds)
    lines = [_cue_line(cue, sound.duration_seconds) for cue in cues] if cues else _spread_lines(transcript.text, sound)
    how = "taken from the transcript's cues" if cues else "estimated from the length of the words"
    return finished(
        request,
        context,
        sound,
        lines=lines,
        phones=allphone(sound.samples, sound.speech, progress=reporter(context, sound, 0.8, 0.95, "hearing phones")),
        phones_origin="allphone",
        words_origin="transcript",
        confidence=CUE_CONFIDENCE if cues else ESTIMATED_CONFIDENCE,
        fidelity=Fidelity.DEGRADED,
        notes=(f"{why}: word times are {how}.",),
    )


def _usable(cues: Sequence[TimedText], duration_seconds: float) -> list[TimedText]:
    """The cues inside the sound, if most are; cues for another cut of the recording are no help."""
    inside = [cue for cue in cues if cue.start_seconds < duration_seconds and cue.end_seconds > cue.start_seconds]
    return inside if len(inside) * 2 > len(cues) else []


def _cue_line(cue: TimedText, duration_seconds: float) -> Line:
    end = min(cue.end_seconds, duration_seconds)
    span = Span(start_seconds=cue.start_seconds, end_seconds_exclusive=round(end, 3))
    return line_of(_spread_words([token.text for token in tokens(cue.text)], [span], CUE_CONFIDENCE), cue.text)


def _spread_lines(text: str, sound: Sound) -> list[Line]:
    return _lines(text, _spread_words([token.text for token in tokens(text)], sound.speech, ESTIMATED_CONFIDENCE))


def _spread_words(texts: Sequence[str], spans: Sequence[Span], confidence: float) -> list[Word]:
    return [
        Word(
            text=text,
            start_seconds=part.start_seconds,
            end_seconds_exclusive=part.end_seconds_exclusive,
            confidence=confidence,
        )
        for text, part in zip(texts, spread(texts, spans), strict=True)
    ]


def _lines(text: str, words: Sequence[Word]) -> list[Line]:
    written = tokens(text)
    return [line_of(words[span.start : span.stop], line_text(text, written, span)) for span in sentences(text, written)]
