"""Words guessed from the sound by the embedded recogniser."""

from contracts.production import TaskRequest
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ProviderOptions, ScriptGenerationTask


class PocketsphinxProvider(ScriptGenerationTask):
    """Recognises English without a transcript; one word in four or five is wrong, and all are marked unsure."""

    preload = ("providers.script._recognised_script",)

    @classmethod
    def not_applicable(cls, options: ProviderOptions, request: TaskRequest) -> str | None:
        language = request.language if isinstance(request, ScriptGenerationRequest) else "en"
        if language.lower().split("-")[0] == "en":
            return None
        return f"the embedded recogniser knows English only, and the language of this recording is {language!r}"

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        from providers.script._recognised_script import script_by_ear

        return script_by_ear(request, self.context).model_copy(update={"provider": "pocketsphinx"})
