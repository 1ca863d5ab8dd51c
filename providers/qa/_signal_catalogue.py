"""Grading a value against its limits. Which checks there are: ``_signal_kinds``.

The limits of a delivery profile (``configs/qa/*.yaml``) replace the defaults by id, whole.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from contracts.artifacts import Span
from contracts.production import CheckLimits
from contracts.qa import Evidence, QACheck
from providers.qa._signal_kinds import KINDS

Status = Literal["pass", "warn", "fail", "skipped"]

MAX_EVIDENCE = 50  # spans of one check; a report with thousands helps nobody


RELATIVE_TO_PROFILE = {"loudness": "loudness_lufs", "true_peak": "true_peak_dbtp"}
"""Checks whose limits are given around a target of the profile: check id -> the profile's field."""


def shifted(limits: CheckLimits, by: float) -> CheckLimits:
    """Limits around a target as limits of the value itself."""
    return CheckLimits(**{name: round(limit + by, 6) for name, limit in limits.model_dump(exclude_none=True).items()})


def grade(value: float, limits: CheckLimits) -> Status:
    if _outside(value, limits.fail_below, limits.fail_above):
        return "fail"
    return "warn" if _outside(value, limits.warn_below, limits.warn_above) else "pass"


def _outside(value: float, lowest: float | None, highest: float | None) -> bool:
    return (lowest is not None and value < lowest) or (highest is not None and value > highest)


class Catalogue:
    """Makes checks with the limits in force.

    Args:
        limits: by check id; an id not given keeps its default.
        targets: by check id, for those of ``RELATIVE_TO_PROFILE``.
        parameters: by check id, how it measures.
    """

    def __init__(
        self,
        limits: Mapping[str, CheckLimits],
        targets: Mapping[str, float],
        parameters: Mapping[str, Mapping[str, float | str]] | None = None,
    ) -> None:
        self._parameters = parameters or {}
        self._limits = {
            name: shifted(limits.get(name, kind.limits), targets.get(name, 0.0)) for name, kind in KINDS.items()
        }

    def limits(self, check_id: str) -> CheckLimits:
        return self._limits[check_id]

    def measured(
        self,
        check_id: str,
        value: float,
        message: str,
        *,
        evidence: Sequence[Span] = (),
        digits: int = 3,
        at_worst: Literal["warn", "fail"] = "fail",
    ) -> QACheck:
        """A number against its limits; what is graded is the rounded number that is shown."""
        value = round(float(value), digits) + 0.0  # + 0.0: no "-0.0" in a report
        status = grade(value, self._limits[check_id])
        if status == "fail":
            status = at_worst
        return self._check(check_id, status, value, message, evidence)

    def judged(self, check_id: str, status: Status, value: str, message: str, evidence: Sequence[Span] = ()) -> QACheck:
        """A fact that is no number."""
        return self._check(check_id, status, value, message, evidence)

    def skipped(self, check_id: str, why: str) -> QACheck:
        return self._check(check_id, "skipped", None, why, ())

    def _check(
        self, check_id: str, status: Status, value: float | str | None, message: str, evidence: Sequence[Span]
    ) -> QACheck:
        kind = KINDS[check_id]
        return QACheck(
            id=check_id,
            title=kind.title,
            version=kind.version,
            parameters=dict(self._parameters.get(check_id, {})),
            status=status,
            value=value,
            unit=kind.unit if not isinstance(value, str) else "",
            limits=self._limits[check_id],
            evidence=tuple(Evidence(**span.model_dump()) for span in evidence[:MAX_EVIDENCE]),
            message=message,
        )
