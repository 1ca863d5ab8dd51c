"""Grading, the shipped limits, and captions."""

import pytest
from ruamel.yaml import YAML

from contracts.base import Fidelity
from contracts.production import CheckLimits
from contracts.qa import Verdict
from providers.qa._signal_captions import captions
from providers.qa._signal_catalogue import Catalogue, grade
from providers.qa._signal_kinds import KINDS
from providers.qa._signal_review import verdict_of
from tests.providers.qa.films import SAMPLES_DIR

LIMITS = CheckLimits(warn_below=-20, warn_above=20, fail_below=-40, fail_above=60)
FIRST = "1\n00:00:00,500 --> 00:00:02,000\nIt is a truth\n\n"


@pytest.mark.parametrize(
    ("value", "status"),
    [(0, "pass"), (20, "pass"), (20.1, "warn"), (60, "warn"), (60.1, "fail"), (-20.1, "warn"), (-41, "fail")],
)
def test_limits_themselves_are_inside(value: float, status: str) -> None:
    assert grade(value, LIMITS) == status


def test_only_the_limit_of_a_named_check_is_replaced_and_whole() -> None:
    catalogue = Catalogue({"black": CheckLimits(fail_above=2)}, {})
    assert catalogue.limits("black") == CheckLimits(fail_above=2)
    assert catalogue.limits("silence") == KINDS["silence"].limits


def test_loudness_limits_stand_around_the_profiles_target() -> None:
    catalogue = Catalogue({}, {"loudness": -23.0})
    assert catalogue.measured("loudness", -23.4, "").status == "pass"
    assert catalogue.measured("loudness", -16.0, "").status == "fail"


def test_what_is_graded_is_the_number_shown() -> None:
    assert Catalogue({}, {}).measured("mouth_as_told", 0.6999, "", digits=2).status == "pass"


def test_checks_fit_their_contract() -> None:
    catalogue = Catalogue({}, {})
    for check_id in KINDS:
        assert catalogue.skipped(check_id, "No reason.").title


def test_shipped_limits_name_known_checks_and_are_the_defaults() -> None:
    document = YAML(typ="safe").load(SAMPLES_DIR.parent / "configs" / "qa" / "web.yaml")
    shipped = {name: CheckLimits(**limits) for name, limits in document["checks"].items()}
    assert shipped == {name: kind.limits for name, kind in KINDS.items() if kind.limits != CheckLimits()}


@pytest.mark.parametrize(
    ("statuses", "fidelity", "verdict"),
    [
        (("pass", "skipped"), Fidelity.REAL, Verdict.APPROVE),
        (("pass", "warn"), Fidelity.REAL, Verdict.REVIEW),
        (("warn", "fail"), Fidelity.REAL, Verdict.REJECT),
        (("pass",), Fidelity.PASSTHROUGH, Verdict.REVIEW),
        (("pass",), Fidelity.STUB, Verdict.REVIEW),
    ],
)
def test_worst_check_decides(statuses: tuple[str, ...], fidelity: Fidelity, verdict: Verdict) -> None:
    catalogue = Catalogue({}, {})
    checks = tuple(catalogue.judged("streams", status, "", "") for status in statuses)  # type: ignore[arg-type]
    assert verdict_of(checks, fidelity) is verdict


class TestCaptions:
    def check(self, subrip: str, duration_seconds: float = 10.0):
        return captions(Catalogue({}, {}), subrip, duration_seconds)

    def test_captions_in_order_pass(self) -> None:
        check = self.check(FIRST + "2\n00:00:02,000 --> 00:00:03,000\nuniversally acknowledged\n")
        assert (check.status, check.value) == ("pass", 0)

    def test_byte_order_mark_and_windows_lines_are_read(self) -> None:
        check = self.check("\ufeff" + (FIRST + "2\n00:00:02,000 --> 00:00:03,000\nb\n").replace("\n", "\r\n"))
        assert check.message.startswith("2 captions")

    @pytest.mark.parametrize(
        ("second", "reason"),
        [
            ("00:00:01,900 --> 00:00:03,000\nb", "overlaps"),
            ("00:00:09,000 --> 00:00:10,100\nb", "after the video"),
            ("00:00:05,000 --> 00:00:04,000\nb", "not after its start"),
        ],
    )
    def test_wrong_times_fail(self, second: str, reason: str) -> None:
        check = self.check(FIRST + "2\n" + second + "\n")
        assert (check.status, check.value) == ("fail", 1)
        assert reason in check.message
        assert len(check.evidence) == 1

    @pytest.mark.parametrize("text", ["a\nb\nc", "x" * 43])
    def test_text_too_large_warns(self, text: str) -> None:
        assert self.check(FIRST + f"2\n00:00:03,000 --> 00:00:04,000\n{text}\n").status == "warn"

    def test_no_captions_are_not_judged(self) -> None:
        assert captions(Catalogue({}, {}), None, 10).status == "skipped"
        assert self.check("").status == "skipped"
