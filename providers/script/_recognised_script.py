"""A script without a transcript: words by the embedded recogniser, phones by ear."""

from contracts.context import ProviderContext
from contracts.script import ScriptGenerationRequest, ScriptResult
from providers._speech.phones import allphone
from providers._speech.recognise import lines_by_pause, recognise
from providers.script._script import finished, line_of, read_sound, reporter, silent

GUESS_NOTE = "The words are a recogniser's guess: expect one in four or five to be wrong."
_WORDS_SHARE = 0.85  # of the time goes into the words, the rest into the phones


def script_by_ear(request: ScriptGenerationRequest, context: ProviderContext) -> ScriptResult:
    """Raises: ProviderRejected: no sound in the file."""
    sound = read_sound(request, context)
    if not sound.speech:
        return silent(request, context, sound)
    words = recognise(
        sound.samples, sound.speech, progress=reporter(context, sound, 0.0, _WORDS_SHARE, "recognising words")
    )
    phones = allphone(
        sound.samples, sound.speech, progress=reporter(context, sound, _WORDS_SHARE, 0.99, "hearing phones")
    )
    lines = [
        line_of(words[span.start : span.stop], " ".join(word.text for word in words[span.start : span.stop]))
        for span in lines_by_pause(words)
    ]
    return finished(
        request,
        context,
        sound,
        lines=lines,
        phones=phones,
        phones_origin="allphone",
        words_origin="recognised" if words else "none",
        confidence=round(sum(word.confidence for word in words) / max(1, len(words)), 3),
        notes=(GUESS_NOTE if words else "Somebody speaks, and no word was recognised.",),
    )
