"""Which provider makes the result, how often it is tried, and what the trace says of the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.base import Fidelity
from contracts.errors import ProviderError, ProviderFailed, ProviderRejected, ProviderUnavailable
from contracts.events import Attempt
from contracts.lipsync import LipSyncRequest
from contracts.workflow import RetrySpec
from sparkle_dagster.registry.attempts import delay_seconds
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.sparkle_dagster.registry.conftest import MakeRegistry

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]

PASSED_OVER = """\
gone: {use: Unavailable}
foreign: {use: NotForEnglish}
late: {use: FindsOutLate}
broken: {use: Fails}
good: {use: HandsOn}
spare: {use: HandsOn}
"""


def traced(items: object) -> list[tuple[str, str]]:
    assert isinstance(items, tuple)
    return [(item.provider, item.outcome) for item in items]


@pytest.mark.requirement("S13", "S34")
def test_first_provider_that_can_makes_the_result_and_the_trace_says_why(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    registry = make_registry(PASSED_OVER, lipsync="{providers: [gone, foreign, late, broken, good, spare]}")
    outcome = registry.resolve("lipsync").run_with_outcome(request_of(registry))
    assert outcome.provider == outcome.result.provider == "good"
    assert outcome.provider_version == "1"
    assert traced(outcome.trace) == [
        ("gone", "unavailable"),
        ("foreign", "not_applicable"),
        ("late", "not_applicable"),
        ("broken", "failed"),
        ("good", "selected"),
        ("spare", "not_reached"),
    ]
    reasons = {candidate.provider: candidate.reason for candidate in outcome.trace}
    assert "sparkle models fetch" in reasons["gone"]
    assert reasons["foreign"] == "does not know en"
    assert "the mouth fell off" in reasons["broken"]
    assert [(attempt.provider, attempt.error) for attempt in outcome.attempts] == [
        ("late", "NotApplicable"),
        ("broken", "ProviderFailed"),
        ("good", ""),
    ]


@pytest.mark.requirement("S34", "S46")
def test_failed_provider_is_started_again_exactly_max_times(
    make_registry: MakeRegistry, request_of: RequestOf, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    registry = make_registry(f"it: {{use: Fails, count_file: {count}}}", lipsync="{providers: [it]}")
    seen: list[Attempt] = []
    task = registry.resolve("lipsync", retries=RetrySpec(max=2))
    with pytest.raises(ProviderFailed, match="the mouth fell off") as caught:
        task.run_with_outcome(request_of(registry), on_attempt=seen.append)
    assert len(count.read_text().splitlines()) == 3
    assert [attempt.number for attempt in seen] == [1, 2, 3]
    assert vars(caught.value)["attempts"] == tuple(seen)
    assert traced(vars(caught.value)["trace"]) == [("it", "failed")]


def test_retry_that_succeeds_ends_the_attempts(
    make_registry: MakeRegistry, request_of: RequestOf, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    registry = make_registry(f"it: {{use: Fails, count_file: {count}, times: 1}}", lipsync="{providers: [it]}")
    outcome = registry.resolve("lipsync", retries=RetrySpec(max=5)).run_with_outcome(request_of(registry))
    assert [attempt.error for attempt in outcome.attempts] == ["ProviderFailed", ""]
    assert len(count.read_text().splitlines()) == 2


def test_crash_is_retried_like_a_failure(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("it: {use: Dies, how: exit}\nok: {use: HandsOn}", lipsync="{providers: [it, ok]}")
    outcome = registry.resolve("lipsync", retries=RetrySpec(max=1)).run_with_outcome(request_of(registry))
    assert [attempt.error for attempt in outcome.attempts] == ["ProviderCrashed", "ProviderCrashed", ""]


@pytest.mark.requirement("S46")
def test_rejected_input_stops_at_once(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("it: {use: Raises, how: rejects}\nok: {use: HandsOn}", lipsync="{providers: [it, ok]}")
    with pytest.raises(ProviderRejected) as caught:
        registry.resolve("lipsync", retries=RetrySpec(max=3)).run(request_of(registry))
    assert len(vars(caught.value)["attempts"]) == 1
    assert traced(vars(caught.value)["trace"]) == [("it", "failed"), ("ok", "not_reached")]


def test_nobody_who_can_is_an_error_with_every_reason(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry(PASSED_OVER, lipsync="{providers: [gone, foreign, late]}")
    with pytest.raises(ProviderUnavailable) as caught:
        registry.resolve("lipsync").run(request_of(registry))
    for reason in ("gone: no weights", "sparkle models fetch", "foreign: does not know en", "late: no face"):
        assert reason in str(caught.value)
    assert [outcome for _, outcome in traced(vars(caught.value)["trace"])] == [
        "unavailable",
        "not_applicable",
        "not_applicable",
    ]


@pytest.mark.requirement("X10")
def test_fidelity_is_the_least_of_result_and_inputs(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("it: {use: HandsOn, fidelity: real}", lipsync="{providers: [it]}")
    request = request_of(registry)
    task = registry.resolve("lipsync")
    assert task.run(request).fidelity is Fidelity.REAL
    assert task.run(request.model_copy(update={"input_fidelity": Fidelity.DEGRADED})).fidelity is Fidelity.DEGRADED


@pytest.mark.requirement("S34", "X10")
def test_result_of_too_little_fidelity_goes_to_the_next_candidate(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    entries = "poor: {use: HandsOn}\nfine: {use: HandsOn, fidelity: real}"
    registry = make_registry(entries, lipsync="{providers: [poor, fine], min_fidelity: real}")
    outcome = registry.resolve("lipsync", retries=RetrySpec(max=3)).run_with_outcome(request_of(registry))
    assert traced(outcome.trace) == [("poor", "failed"), ("fine", "selected")]
    assert len(outcome.attempts) == 2


def test_nothing_of_enough_fidelity_fails_and_says_so(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("poor: {use: HandsOn}", lipsync="{providers: [poor], min_fidelity: real}")
    with pytest.raises(ProviderFailed, match=r"at least real \(min_fidelity of lipsync\), got one that is degraded"):
        registry.resolve("lipsync").run(request_of(registry))


def test_inputs_of_too_little_fidelity_start_no_provider(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("it: {use: HandsOn}", lipsync="{providers: [it], min_fidelity: degraded}")
    request = request_of(registry).model_copy(update={"input_fidelity": Fidelity.PASSTHROUGH})
    with pytest.raises(ProviderError, match="expected inputs that are at least degraded") as caught:
        registry.resolve("lipsync").run(request)
    assert vars(caught.value)["attempts"] == ()


def test_delays_follow_the_backoff() -> None:
    def delays(backoff: str) -> list[float]:
        spec = RetrySpec.model_validate({"max": 3, "delay_s": 2, "backoff": backoff})
        return [delay_seconds(spec, number) for number in (1, 2, 3)]

    assert delays("constant") == [2, 2, 2]
    assert delays("linear") == [2, 4, 6]
    assert delays("exponential") == [2, 4, 8]


def test_jitter_draws_between_half_and_the_whole_delay() -> None:
    drawn = [delay_seconds(RetrySpec(max=1, delay_s=10, jitter=True), 1) for _ in range(200)]
    assert 5 <= min(drawn) < max(drawn) <= 10
