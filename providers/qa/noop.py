"""Quality review turned off: says so, and approves nothing."""

from contracts.base import Fidelity
from contracts.qa import QAReviewRequest, QAReviewResult, Verdict
from contracts.tasks import QAReviewTask


class NoOpQAProvider(QAReviewTask):
    """The verdict is ``not_reviewed``."""

    def run(self, request: QAReviewRequest) -> QAReviewResult:
        return QAReviewResult(
            provider="noop",
            fidelity=Fidelity.PASSTHROUGH,
            verdict=Verdict.NOT_REVIEWED,
            notes=("Quality review is turned off; nobody and nothing has looked at this file.",),
        )
