"""What many comparisons of one shadow add up to: paired differences with intervals, and which of the two wins.

A check is better where it is further from its limits: higher where only ``*_below`` limits it, lower where only
``*_above`` does, else nearer to the middle of its limits. Intervals are Student's t over the differences of pairs,
widened so that all of them hold together with 95 % (Bonferroni).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Literal

from contracts.production import CheckLimits
from contracts.qa import QACheck, Verdict
from contracts.shadow import ShadowComparison

CONFIDENCE = 0.95
LEAST_PAIRS = 2
_ORDER = [Verdict.REJECT.value, Verdict.REVIEW.value, Verdict.APPROVE.value]

Winner = Literal["candidate", "primary", "undecided"]


@dataclass(frozen=True)
class PairedCheck:
    """One check over all productions that both were reviewed on."""

    check_id: str
    title: str
    unit: str
    count: int
    primary: float
    """Mean of what was measured."""
    candidate: float
    gain: float
    """Mean by which the candidate is better, in ``unit``; negative where it is worse."""
    low: float | None
    """Of the interval of ``gain``; None of fewer pairs than ``LEAST_PAIRS``."""
    high: float | None


@dataclass(frozen=True)
class ShadowReport:
    """One shadow over all productions of the workspace."""

    shadow: str
    count: int
    compared: int
    failed: int
    not_applicable: int
    primary_failed_attempts: int
    candidate_failed_attempts: int
    primaries: dict[str, int]
    """Provider that delivers -> productions."""
    latency_ratio: float | None
    """Median of the candidate's latency over the primary's, of the productions where both were really made."""
    primary_latency_ms: float | None
    candidate_latency_ms: float | None
    verdicts_better: int
    verdicts_worse: int
    checks: tuple[PairedCheck, ...]
    errors: dict[str, int]
    """What a failed shadow said -> how often."""
    winner: Winner
    why: str


def report_shadow(shadow: str, comparisons: Iterable[ShadowComparison]) -> ShadowReport:
    """Add them up. The candidate wins with something better, nothing worse and no failure; the primary where it is the
    other way round; else nobody does."""
    found = list(comparisons)
    pairs = [item for item in found if item.ended == "compared"]
    checks = _paired_checks(pairs)
    timed = [
        (item.primary.latency_ms, item.candidate.latency_ms)
        for item in pairs
        if item.primary.latency_ms and item.candidate.latency_ms is not None
    ]
    moves = [_move(item.primary.verdict, item.candidate.verdict) for item in pairs]
    failed = [item for item in found if item.ended == "failed"]
    better, worse = sum(move > 0 for move in moves), sum(move < 0 for move in moves)
    winner, why = _decided(checks, len(failed), better, worse, len(pairs))
    return ShadowReport(
        shadow=shadow,
        count=len(found),
        compared=len(pairs),
        failed=len(failed),
        not_applicable=sum(item.ended == "not_applicable" for item in found),
        primary_failed_attempts=sum(item.primary.failed_attempts for item in found),
        candidate_failed_attempts=sum(item.candidate.failed_attempts for item in found),
        primaries=dict(Counter(next(iter(item.primary.providers.values()), "") for item in found)),
        latency_ratio=median(theirs / ours for ours, theirs in timed) if timed else None,
        primary_latency_ms=median(ours for ours, _ in timed) if timed else None,
        candidate_latency_ms=median(theirs for _, theirs in timed) if timed else None,
        verdicts_better=better,
        verdicts_worse=worse,
        checks=checks,
        errors=dict(Counter(item.error for item in failed)),
        winner=winner,
        why=why,
    )


def t_quantile(probability: float, freedom: int) -> float:
    """The value that Student's t stays below with this probability, of 0.5 to 1; to 1e-9 of the angle.

    With t = sqrt(n) tan(a) its density is C cos(a)^(n-1), smooth and bounded, so Simpson's rule integrates it.
    """
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    while high - low > 1e-9:
        angle = (low + high) / 2
        if 0.5 + scale * _integral_of_cosine(freedom - 1, angle) < probability:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan(low)


def _integral_of_cosine(power: int, angle: float, steps: int = 400) -> float:
    width = angle / steps
    weights = [1, *([4, 2] * (steps // 2))]
    weights[-1] = 1
    return width / 3 * sum(weight * math.cos(width * index) ** power for index, weight in enumerate(weights))


def _paired_checks(pairs: Sequence[ShadowComparison]) -> tuple[PairedCheck, ...]:
    measured: dict[str, list[tuple[QACheck, float, float]]] = {}
    for item in pairs:
        ours, theirs = _values(item.primary.checks), _values(item.candidate.checks)
        for check in item.primary.checks:
            if check.id in ours and check.id in theirs:
                measured.setdefault(check.id, []).append((check, ours[check.id], theirs[check.id]))
    tested = sum(len(found) >= LEAST_PAIRS for found in measured.values())
    return tuple(_paired_check(found, tested) for found in measured.values())


def _paired_check(found: Sequence[tuple[QACheck, float, float]], tested: int) -> PairedCheck:
    check = found[0][0]
    gains = [_goodness(check.limits, theirs) - _goodness(check.limits, ours) for check, ours, theirs in found]
    gain, margin = fmean(gains), None
    if len(gains) >= LEAST_PAIRS:
        probability = 1 - (1 - CONFIDENCE) / 2 / tested
        margin = t_quantile(probability, len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
    return PairedCheck(
        check_id=check.id,
        title=check.title,
        unit=check.unit,
        count=len(found),
        primary=fmean(ours for _, ours, _ in found),
        candidate=fmean(theirs for _, _, theirs in found),
        gain=gain,
        low=None if margin is None else gain - margin,
        high=None if margin is None else gain + margin,
    )


def _values(checks: Iterable[QACheck]) -> Mapping[str, float]:
    return {check.id: float(check.value) for check in checks if isinstance(check.value, float)}


def _goodness(limits: CheckLimits, value: float) -> float:
    """Larger is better."""
    below = limits.warn_below if limits.warn_below is not None else limits.fail_below
    above = limits.warn_above if limits.warn_above is not None else limits.fail_above
    if below is not None and above is not None:
        return -abs(value - (below + above) / 2)
    return -value if above is not None else value


def _move(before: str, after: str) -> int:
    """Positive where the second verdict is better; 0 where one of them is none."""
    return _ORDER.index(after) - _ORDER.index(before) if {before, after} <= set(_ORDER) else 0


def _decided(checks: Sequence[PairedCheck], failed: int, better: int, worse: int, pairs: int) -> tuple[Winner, str]:
    gains = [_told(check) for check in checks if check.low is not None and check.low > 0]
    losses = [_told(check) for check in checks if check.high is not None and check.high < 0]
    for_it = gains + ([f"{better} better verdict(s)"] if better > worse else [])
    against = losses + ([f"{worse} worse verdict(s)"] if worse > better else [])
    against += [f"{failed} failure(s)"] if failed else []
    if for_it and not against:
        return "candidate", ", ".join(for_it)
    if against and not for_it:
        return "primary", ", ".join(against)
    if for_it:
        return "undecided", f"better: {', '.join(for_it)}; worse: {', '.join(against)}"
    return "undecided", f"no difference is shown over {pairs} production(s)"


def _told(check: PairedCheck) -> str:
    return f"{check.title} {check.gain:+.3g} {check.unit}".strip()
