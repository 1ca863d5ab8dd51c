"""What runs when the script is turned off: the duration, and nothing else."""

from contracts.base import Fidelity
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ScriptGenerationTask


class NoOpScriptProvider(ScriptGenerationTask):
    """Holds the audio's duration; no lines, no phones, no captions."""

    def run(self, request: ScriptGenerationRequest) -> ScriptResult:
        from providers.script._duration import duration_seconds

        return ScriptResult(
            provider="noop",
            fidelity=Fidelity.PASSTHROUGH,
            language=request.language,
            duration_seconds=duration_seconds(request, self.context),
            notes=("Script generation is turned off: there are no lines, no phones and no captions.",),
        )
