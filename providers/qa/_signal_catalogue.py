"""The checks by id, with title, unit and default limits; and grading a value against its limits.

The shape follows the EBU's QC items: one atomic, versioned check each. The limits of a delivery profile
(``configs/qa/*.yaml``) replace these defaults by id, whole.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from contracts.artifacts import Span
from contracts.production import CheckLimits
from contracts.qa import Evidence, QACheck

Status = Literal["pass", "warn", "fail", "skipped"]

MAX_EVIDENCE = 50  # spans of one check; a report with thousands helps nobody


class Kind(NamedTuple):
    title: str
    unit: str = ""
    limits: CheckLimits = CheckLimits()


KINDS: Mapping[str, Kind] = {
    "readable": Kind("The file decodes to its end", "bad packets", CheckLimits(fail_above=0)),
    "streams": Kind("One picture and one sound"),
    "container": Kind("Plays in browsers and players"),
    "duration_streams": Kind("Picture and sound end together", "ms", CheckLimits(warn_above=80, fail_above=200)),
    "duration_source": Kind(
        "As long as the recording",
        "ms",
        CheckLimits(warn_below=-60, warn_above=100, fail_below=-150, fail_above=500),
    ),
    "start_offset": Kind(
        "Picture and sound start together",
        "ms",
        CheckLimits(warn_below=-20, warn_above=20, fail_below=-40, fail_above=60),
    ),
    "frame_rate": Kind("Constant frame rate", "frames", CheckLimits(warn_above=1.25, fail_above=1.75)),
    "black": Kind("No black picture", "s", CheckLimits(warn_above=0, fail_above=0.1)),
    "frozen_face": Kind("Face moves while it speaks", "s", CheckLimits(warn_above=0.6, fail_above=1.0)),
    "face_present": Kind("Face in the picture", "share", CheckLimits(warn_below=0.9, fail_below=0.5)),
    "silence": Kind("No hole in the sound", "s", CheckLimits(warn_above=0.15, fail_above=0.4)),
    "clipping": Kind("Sound is not clipped", "places", CheckLimits(warn_above=0, fail_above=20)),
    "loudness": Kind(
        "Loudness on target", "LUFS", CheckLimits(warn_below=-1, warn_above=1, fail_below=-3, fail_above=2)
    ),
    "true_peak": Kind("True peak under its limit", "dBTP", CheckLimits(warn_above=0.1, fail_above=1)),
    "audio_content": Kind("The sound is the recording", "share", CheckLimits(warn_below=0.9, fail_below=0.7)),
    "audio_shift": Kind(
        "Sound in its place",
        "ms",
        CheckLimits(warn_below=-20, warn_above=20, fail_below=-40, fail_above=60),
    ),
    "mouth_as_told": Kind("Mouth moves as intended", "r", CheckLimits(warn_below=0.7, fail_below=0.5)),
    "mouth_with_voice": Kind("Mouth moves with the voice", "r", CheckLimits(warn_below=0.4, fail_below=0.2)),
    "lip_lag": Kind(
        "Lips in time with the voice",
        "ms",
        CheckLimits(warn_below=-125, warn_above=45, fail_below=-185, fail_above=90),
    ),
    "captions": Kind("Captions fit", "captions", CheckLimits(fail_above=0)),
    "fidelity": Kind("Everything was really done"),
}
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
    """

    def __init__(self, limits: Mapping[str, CheckLimits], targets: Mapping[str, float]) -> None:
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
            status=status,
            value=value,
            unit=kind.unit if not isinstance(value, str) else "",
            limits=self._limits[check_id],
            evidence=tuple(Evidence(**span.model_dump()) for span in evidence[:MAX_EVIDENCE]),
            message=message,
        )
