"""Review turned off: labelled, and never an approval."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.qa import QAReviewRequest, QAReviewResult, Verdict
from contracts.tasks import Task
from providers.qa.noop import NoOpQAProvider
from sparkle_dagster.conformance.pytest_cases import NoOpCases


@pytest.mark.requirement("S12", "S52")
class TestNoOpQA(NoOpCases):
    provider: type[Task] = NoOpQAProvider

    @pytest.fixture
    def good_request(self, put: Callable[[Path], ArtifactRef], samples: Path) -> QAReviewRequest:
        return QAReviewRequest(video=put(samples / "presenter.png"), audio_track=put(samples / "voice_short.wav"))

    @pytest.fixture
    def bad_requests(self) -> dict[str, QAReviewRequest]:
        return {}

    def test_verdict_is_not_reviewed(self, result: QAReviewResult) -> None:
        assert result.verdict is Verdict.NOT_REVIEWED
        assert result.checks == ()
