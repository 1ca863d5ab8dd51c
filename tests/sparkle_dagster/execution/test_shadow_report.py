"""Numbers that are known: intervals as in a textbook, and who wins."""

import math

import pytest

from contracts.production import CheckLimits
from contracts.qa import QACheck
from contracts.shadow import ComparedSide, ShadowComparison
from sparkle_dagster.execution.shadow_report import report_shadow, t_quantile

LIMITS = {
    "higher": CheckLimits(warn_below=0.7),
    "lower": CheckLimits(warn_above=0.5),
    "middle": CheckLimits(warn_below=-10, warn_above=10),
}


def side(values: dict[str, float], verdict: str = "review", latency_ms: int | None = 1000) -> ComparedSide:
    checks = tuple(
        QACheck(id=name, title=name, status="pass", value=value, limits=LIMITS[name]) for name, value in values.items()
    )
    return ComparedSide(providers={"lipsync": "one"}, verdict=verdict, checks=checks, latency_ms=latency_ms)


def pair(ours: ComparedSide, theirs: ComparedSide, ended: str = "compared") -> ShadowComparison:
    return ShadowComparison.parse(
        {"shadow": "s", "production": "p", "of": "", "ended": ended, "error": "", "primary": ours, "candidate": theirs}
    )


def pairs(name: str, differences: list[float]) -> list[ShadowComparison]:
    return [pair(side({name: 0.0}), side({name: difference})) for difference in differences]


@pytest.mark.parametrize(("freedom", "known"), [(1, 12.7062), (2, 4.3027), (9, 2.2622), (29, 2.0452), (999, 1.9623)])
def test_quantile_is_that_of_the_tables(freedom: int, known: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(known, abs=1e-4)


@pytest.mark.requirement("S57")
def test_interval_of_paired_differences_is_students() -> None:
    (check,) = report_shadow("s", pairs("higher", [1.0, 2.0, 3.0])).checks
    margin = 4.3027 * 1.0 / math.sqrt(3)
    assert check.gain == 2.0
    assert check.low == pytest.approx(2.0 - margin, abs=1e-3)
    assert check.high == pytest.approx(2.0 + margin, abs=1e-3)


def test_more_checks_make_wider_intervals_so_that_all_hold_together() -> None:
    both = [pair(side({"higher": 0, "lower": 0}), side({"higher": gain, "lower": 0})) for gain in (1.0, 2.0, 3.0)]
    alone, together = report_shadow("s", pairs("higher", [1.0, 2.0, 3.0])).checks[0], report_shadow("s", both).checks[0]
    assert together.low is not None
    assert alone.low is not None
    assert together.low < alone.low


@pytest.mark.parametrize(
    ("name", "differences", "gain", "winner"),
    [
        ("higher", [0.2, 0.21, 0.19], 0.2, "candidate"),
        ("lower", [0.2, 0.21, 0.19], -0.2, "primary"),
        ("middle", [4.0, -4.0, 4.0], -4.0, "primary"),
        ("higher", [0.2, -0.2, 0.1], 0.1 / 3, "undecided"),
        ("higher", [0.5], 0.5, "undecided"),
    ],
)
def test_limits_say_what_is_better_and_an_interval_that_holds_zero_decides_nothing(
    name: str, differences: list[float], gain: float, winner: str
) -> None:
    report = report_shadow("s", pairs(name, differences))
    assert report.checks[0].gain == pytest.approx(gain)
    assert report.winner == winner


def test_failure_is_weighed_against_what_is_better() -> None:
    found = [*pairs("higher", [0.2, 0.21, 0.19]), pair(side({}), side({}), "failed")]
    report = report_shadow("s", found)
    assert (report.winner, report.failed) == ("undecided", 1)
    assert "1 failure(s)" in report.why


def test_verdicts_and_latency_count_in_pairs() -> None:
    found = [
        pair(side({}, "reject", 1000), side({}, "approve", 2000)),
        pair(side({}, "not_reviewed", 1000), side({}, "approve", None)),
    ]
    report = report_shadow("s", found)
    assert (report.verdicts_better, report.verdicts_worse, report.latency_ratio) == (1, 0, 2.0)
    assert report.winner == "candidate"
