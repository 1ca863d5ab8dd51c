"""Measured checks on the finished file, and a verdict. The shape of a check follows the EBU's QC items (qc.ebu.io)."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.artifacts import ArtifactRef, FrameRange, Span
from contracts.base import Fidelity, Model
from contracts.production import CheckLimits, Metrics, Regeneration, Ruling, TaskRequest, TaskResult
from contracts.script import ScriptResult


class Verdict(StrEnum):
    APPROVE = "approve"
    REVIEW = "review"
    REJECT = "reject"
    NOT_REVIEWED = "not_reviewed"


class Evidence(Span):
    """Where something was seen or heard, in the finished file's time, and what is to be seen there."""

    thumbnail: str = Field(default="", description="Data URI of a small picture of its middle; empty: none.")


class QACheck(Model):
    """One measured fact against its limits."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(description="For a person, such as 'Mouth follows the voice'.")
    version: int = Field(default=1, description="Counts when the same file would be measured otherwise.")
    parameters: dict[str, float | str] = Field(default_factory=dict, description="How it was measured, by name.")
    status: Literal["pass", "warn", "fail", "skipped"]
    value: float | str | None = None
    unit: str = ""
    limits: CheckLimits = CheckLimits()
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="How sure the value is, where it is an estimate; None: it is counted."
    )
    evidence: tuple[Evidence, ...] = Field(default=(), description="Where it was seen.")
    message: str = Field(default="", description="One sentence: what was measured, what was expected.")


class QAMetrics(Metrics):
    mouth_correlation: float | None = None
    lag_ms: float | None = Field(default=None, description="Positive: the mouth is late.")
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None
    duration_seconds: float = 0.0


Action = Literal["approve", "regenerate", "escalate", "reject"]
"""What becomes of a production: done, another run of a part of it, a person decides, given up."""


class Decision(Model):
    """What a policy decided, and all that it and people had decided before."""

    action: Action
    rule: str = Field(description="Name of the rule; `ruling` for a person's word; empty where no rule fits.")
    reason: str
    upload: str = Field(default="", description="Data version of the upload that it is about.")
    regenerations: tuple[Regeneration, ...] = Field(default=(), description="Oldest first; the one asked for is last.")
    ruling: Ruling | None = Field(default=None, description="The newest that it had heard.")


class QAReviewResult(TaskResult):
    verdict: Verdict
    checks: tuple[QACheck, ...] = ()
    measured_mouth_curve: ArtifactRef | None = Field(
        default=None, description="MouthCurve as seen in the decoded picture."
    )
    metrics: QAMetrics = QAMetrics()
    decision: Decision | None = Field(default=None, description="Of a policy; a review has none.")

    @model_validator(mode="after")
    def _nothing_unreal_is_approved(self) -> Self:
        if self.verdict is Verdict.APPROVE and self.fidelity in {Fidelity.PASSTHROUGH, Fidelity.STUB}:
            raise ValueError(f"a {self.fidelity} result is never approved; expected review, reject or not_reviewed")
        return self


class QAReviewRequest(TaskRequest):
    video: ArtifactRef
    audio_track: ArtifactRef
    script: ScriptResult | None = None
    mouth_curve: ArtifactRef | None = Field(default=None, description="MouthCurve that lip-sync intended.")
    before_mouth: ArtifactRef | None = Field(
        default=None,
        description="Frames of the video before a mouth was drawn, at their times: what else differs is a fault.",
    )
    untouched: tuple[FrameRange, ...] = Field(
        default=(), description="Frames that lip-sync left as they were: their borders are looked at."
    )
    review: QAReviewResult | None = Field(
        default=None, description="An earlier review of the same video, for a policy that decides on it."
    )
