"""The page and the summary that every production ends with."""

from contracts.artifacts import ArtifactRef
from contracts.production import TaskResult
from contracts.qa import Verdict


class ReportResult(TaskResult):
    """Made by the platform from all results of a production."""

    page: ArtifactRef
    summary: ArtifactRef
    verdict: Verdict = Verdict.NOT_REVIEWED
