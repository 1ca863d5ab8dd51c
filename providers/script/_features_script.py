"""A script without words: speech spans, phones by ear, a mouth curve from spectral features."""

from io import BytesIO

from contracts.base import Fidelity, canonical_json
from contracts.context import ProviderContext
from contracts.script import ScriptGenerationRequest, ScriptResult
from providers._speech.features import mouth_curve
from providers._speech.phones import allphone
from providers.script._script import finished, read_sound, reporter, silent

NO_WORDS_NOTE = "There are no words and no captions: nothing here knows what is said, only when and how."


def script_without_words(request: ScriptGenerationRequest, context: ProviderContext) -> ScriptResult:
    """Raises: ProviderRejected: no sound in the file."""
    sound = read_sound(request, context)
    curve = mouth_curve(sound.samples).model_dump(mode="json")
    ref = context.artifacts.put(BytesIO(canonical_json(curve)), "application/json")
    if not sound.speech:
        return silent(request, context, sound, mouth_curve=ref, fidelity=Fidelity.DEGRADED, notes=(NO_WORDS_NOTE,))
    phones = allphone(sound.samples, sound.speech, progress=reporter(context, sound, 0.0, 0.95, "hearing phones"))
    return finished(
        request,
        context,
        sound,
        phones=phones,
        phones_origin="allphone",
        mouth_curve=ref,
        fidelity=Fidelity.DEGRADED,
        notes=(NO_WORDS_NOTE,),
    )
