"""Words that a person wrote, placed on the sound by forced alignment."""

from typing import cast

from pydantic import Field

from contracts.production import TaskRequest
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ProviderOptions, ScriptGenerationTask


class TranscriptProvider(ScriptGenerationTask):
    """Aligns the transcript beside the audio (.txt, .srt, .vtt) to words and phones.

    The aligner knows English. For other languages, and where text and sound do not fit, the transcript's words are
    kept with estimated times (or its cues' times), the phones are heard by ear, and the result is ``degraded``.
    """

    preload = ("providers.script._transcript_script",)

    class Options(ScriptGenerationTask.Options):
        min_confidence: float = Field(
            default=0.5, ge=0, le=1, description="Agreement of text and sound below which times are only estimated."
        )

    @classmethod
    def not_applicable(cls, options: ProviderOptions, request: TaskRequest) -> str | None:
        if isinstance(request, ScriptGenerationRequest) and request.transcript is None:
            return "no transcript came with this recording"
        return None

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        from providers.script._transcript_script import script_from_transcript

        options = cast(TranscriptProvider.Options, self.options)
        result = script_from_transcript(request, self.context, min_confidence=options.min_confidence)
        return result.model_copy(update={"provider": "transcript"})
