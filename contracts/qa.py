"""Measured checks on the finished file, and a verdict. The shape of a check follows the EBU's QC items (qc.ebu.io)."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.artifacts import ArtifactRef, Span
from contracts.base import Fidelity, Model
from contracts.production import CheckLimits, Metrics, TaskRequest, TaskResult
from contracts.script import ScriptResult


class Verdict(StrEnum):
    APPROVE = "approve"
    REVIEW = "review"
    REJECT = "reject"
    NOT_REVIEWED = "not_reviewed"


class QACheck(Model):
    """One measured fact against its limits."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(description="For a person, such as 'Mouth follows the voice'.")
    version: int = 1
    status: Literal["pass", "warn", "fail", "skipped"]
    value: float | str | None = None
    unit: str = ""
    limits: CheckLimits = CheckLimits()
    evidence: tuple[Span, ...] = Field(default=(), description="Where it was seen.")
    message: str = Field(default="", description="One sentence: what was measured, what was expected.")


class QAReviewRequest(TaskRequest):
    video: ArtifactRef
    audio_track: ArtifactRef
    script: ScriptResult | None = None
    mouth_curve: ArtifactRef | None = Field(default=None, description="MouthCurve that lip-sync intended.")


class QAMetrics(Metrics):
    mouth_correlation: float | None = None
    lag_ms: float | None = Field(default=None, description="Positive: the mouth is late.")
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None
    duration_seconds: float = 0.0


class QAReviewResult(TaskResult):
    verdict: Verdict
    checks: tuple[QACheck, ...] = ()
    measured_mouth_curve: ArtifactRef | None = Field(
        default=None, description="MouthCurve as seen in the decoded picture."
    )
    metrics: QAMetrics = QAMetrics()

    @model_validator(mode="after")
    def _nothing_unreal_is_approved(self) -> Self:
        if self.verdict is Verdict.APPROVE and self.fidelity in {Fidelity.PASSTHROUGH, Fidelity.STUB}:
            raise ValueError(f"a {self.fidelity} result is never approved; expected review, reject or not_reviewed")
        return self
