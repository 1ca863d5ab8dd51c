"""Decodes the finished file, measures what is seen and heard, and compares it with what was asked for.

The checks by id: ``_signal_catalogue``. One path through a review: ``_signal_review``.
"""

from typing import cast

from pydantic import Field

from contracts.faces import FaceOptions
from contracts.qa import QAReviewRequest, QAReviewResult
from contracts.tasks import QAReviewTask
from providers.qa._signal_catalogue import KINDS


class SignalQAProvider(QAReviewTask):
    """Signal processing only: no weights, no opinion on beauty; equal files give equal reports."""

    checks = frozenset(KINDS)
    preload = ("providers.qa._signal_review",)

    class Options(QAReviewTask.Options):
        analysis_long_side: int = Field(
            default=480, ge=160, le=1920, description="Pixels; the picture is analysed at this size at most."
        )
        faces: FaceOptions = FaceOptions()

        @property
        def model_names(self) -> tuple[str, ...]:
            return self.faces.files

    def run(self, request: QAReviewRequest) -> QAReviewResult:
        from providers.qa._signal_review import review

        options = cast(SignalQAProvider.Options, self.options)
        return review(request, self.context, options.analysis_long_side, options.faces)
