"""Fidelity's order, digests of values, and errors that can be read."""

import itertools

import pytest
from pydantic import ValidationError

from contracts.base import Contract, Fidelity, canonical_json, digest_of, least, readable
from contracts.errors import ContractViolation
from contracts.qa import QAReviewResult, Verdict
from contracts.workflow import WorkflowSpec


def test_fidelity_is_ordered_best_first() -> None:
    assert [str(item) for item in Fidelity] == ["real", "degraded", "passthrough", "stub"]


@pytest.mark.parametrize(("one", "other"), itertools.product(Fidelity, repeat=2))
def test_the_least_is_the_later_one_whatever_the_order(one: Fidelity, other: Fidelity) -> None:
    order = list(Fidelity)
    worse = order[max(order.index(one), order.index(other))]
    assert least(one, other) is worse
    assert least(other, one, Fidelity.REAL) is worse


def test_the_least_of_none_is_real() -> None:
    assert least() is Fidelity.REAL


@pytest.mark.requirement("X10")
@pytest.mark.parametrize("fidelity", [Fidelity.PASSTHROUGH, Fidelity.STUB])
def test_what_is_not_real_work_is_never_approved(fidelity: Fidelity) -> None:
    with pytest.raises(ValueError, match="is never approved"):
        QAReviewResult(verdict=Verdict.APPROVE, fidelity=fidelity)
    for verdict in set(Verdict) - {Verdict.APPROVE}:
        assert QAReviewResult(verdict=verdict, fidelity=fidelity).verdict is verdict


@pytest.mark.parametrize("fidelity", [Fidelity.REAL, Fidelity.DEGRADED])
def test_real_work_may_be_approved(fidelity: Fidelity) -> None:
    assert QAReviewResult(verdict=Verdict.APPROVE, fidelity=fidelity).verdict is Verdict.APPROVE


def test_the_digest_is_of_the_value_not_of_its_spelling() -> None:
    assert digest_of({"a": 1, "b": [True, None, "é"]}) == digest_of({"b": [True, None, "é"], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert digest_of({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # SHA-256 of b"{}"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_there_is_no_digest_of_what_json_cannot_say(number: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        digest_of({"a": number})


def test_text_that_is_no_json_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="WorkflowSpec: expected JSON"):
        WorkflowSpec.parse_json("{")


class Pair(Contract):
    left: int
    right: str


def test_a_readable_error_names_every_field_and_what_came() -> None:
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate({"left": "x" * 500})
    text = readable(caught.value)
    assert "left: Input should be a valid integer" in text
    assert "right: Field required" in text
    assert "..." in text
    assert len(text) < 300
