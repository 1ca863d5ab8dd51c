"""No words: where somebody speaks, and how the mouth moves."""

from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ScriptGenerationTask


class AudioFeaturesProvider(ScriptGenerationTask):
    """Speech spans, phones by ear and a mouth curve from spectral features; any language, no words, no captions."""

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        from providers.script._features_script import script_without_words

        return script_without_words(request, self.context).model_copy(update={"provider": "audio_features"})
