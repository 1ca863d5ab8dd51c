"""Decodes the finished file, measures what is seen and heard, and compares it with what was asked for.

The checks by id: ``_signal_kinds``. One path through a review: ``_signal_review``.
"""

from importlib.util import find_spec
from typing import cast

from pydantic import Field

from contracts.faces import FaceOptions
from contracts.qa import QAReviewRequest, QAReviewResult
from contracts.tasks import ProviderOptions, QAReviewTask
from providers.qa._signal_kinds import KINDS


class SignalQAProvider(QAReviewTask):
    """Signal processing only: no weights, no opinion on beauty; equal files give equal reports."""

    version = "4"
    checks = frozenset(KINDS)
    preload = ("providers.qa._signal_review",)

    class Options(QAReviewTask.Options):
        analysis_long_side: int = Field(
            default=480, ge=160, le=1920, description="Pixels; the picture is analysed at this size at most."
        )
        faces: FaceOptions = FaceOptions()
        word_error_rate: bool = Field(
            default=False,
            description="Also listen for the words, in the file and in the recording; a third of their length in time.",
        )

        @property
        def model_names(self) -> tuple[str, ...]:
            return self.faces.files

    @classmethod
    def unavailable(cls, options: ProviderOptions) -> str | None:
        if cast(SignalQAProvider.Options, options).word_error_rate and find_spec("jiwer") is None:
            return "option word_error_rate needs jiwer: pip install '.[wer]'"
        return None

    def run(self, request: QAReviewRequest) -> QAReviewResult:
        from providers.qa._signal_review import review

        options = cast(SignalQAProvider.Options, self.options)
        return review(
            request,
            self.context,
            options.analysis_long_side,
            options.faces,
            counts_word_errors=options.word_error_rate,
        )
