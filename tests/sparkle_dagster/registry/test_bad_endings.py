"""Every way in which a provider ends badly: its class, how often it is tried, and who comes next. Real processes."""

from collections.abc import Callable

import pytest

from contracts.errors import SparkleError
from contracts.lipsync import LipSyncRequest
from contracts.workflow import RetrySpec
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.sparkle_dagster.registry.conftest import MakeRegistry

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
TWICE_MORE = RetrySpec(max=2)

# ending -> (the provider, class of each attempt's error, attempts)
FAILED_OVER = {
    "an ordinary bug": ("{use: Raises, how: bug}", "ProviderFailed", 3),
    "sys.exit": ("{use: Raises, how: exits}", "ProviderFailed", 3),
    "an error without a message": ("{use: Raises, how: unreadable}", "ProviderFailed", 3),
    "out of memory": ("{use: Raises, how: memory}", "ProviderCrashed", 3),
    "a segmentation fault": ("{use: Dies, how: segfault}", "ProviderCrashed", 3),
    "killed from outside": ("{use: Dies, how: kill}", "ProviderCrashed", 3),
    "gone without an answer": ("{use: Dies, how: exit}", "ProviderCrashed", 3),
    "no result": ("{use: Answers, what: nothing}", "ProviderFailed", 3),
    "a result that breaks its contract": ("{use: Answers, what: broken}", "ProviderFailed", 3),
    "a file that it neither made nor got": ("{use: Answers, what: foreign}", "ProviderFailed", 3),
    "a text that says it is a video": ("{use: Writes, media_type: video/mp4, text: hello}", "ProviderFailed", 3),
    "not for this request after all": ("{use: FindsOutLate}", "NotApplicable", 1),
}
STOPPED = {
    "bad input": ("{use: Raises, how: rejects}", "ProviderRejected", 1),
    "an artifact that is not there": (
        f"{{use: ReadsWhatIsNotItsOwn, digest: '{'0' * 64}', path: cas/sha256/00/{'0' * 64}, size_bytes: 1}}",
        "ArtifactMissing",
        1,
    ),
}


@pytest.mark.requirement("S34", "S46")
@pytest.mark.parametrize("ending", FAILED_OVER)
def test_bad_ending_is_tried_exactly_so_often_then_the_next_candidate(
    make_registry: MakeRegistry, request_of: RequestOf, ending: str
) -> None:
    entry, error, attempts = FAILED_OVER[ending]
    registry = make_registry(f"bad: {entry}\ngood: {{use: HandsOn}}", lipsync="{providers: [bad, good]}")
    outcome = registry.resolve("lipsync", retries=TWICE_MORE).run_with_outcome(request_of(registry))
    tried = [(attempt.provider, attempt.number, attempt.error) for attempt in outcome.attempts]
    assert tried == [*(("bad", number + 1, error) for number in range(attempts)), ("good", 1, "")]
    assert all(attempt.message for attempt in outcome.attempts[:-1])
    assert all(attempt.latency_ms > 0 for attempt in outcome.attempts)


@pytest.mark.requirement("S34", "S46")
@pytest.mark.parametrize("ending", STOPPED)
def test_what_no_provider_can_mend_is_tried_once_and_stops(
    make_registry: MakeRegistry, request_of: RequestOf, ending: str
) -> None:
    entry, error, attempts = STOPPED[ending]
    registry = make_registry(f"bad: {entry}\ngood: {{use: HandsOn}}", lipsync="{providers: [bad, good]}")
    with pytest.raises(SparkleError) as caught:
        registry.resolve("lipsync", retries=TWICE_MORE).run(request_of(registry))
    assert type(caught.value).__name__ == error
    assert [attempt.error for attempt in vars(caught.value)["attempts"]] == [error] * attempts


def test_deadline_is_tried_exactly_so_often(make_registry: MakeRegistry, request_of: RequestOf, marker: str) -> None:
    registry = make_registry(f"slow: {{use: Hangs, marker: {marker}}}", lipsync="{providers: [slow]}")
    with pytest.raises(SparkleError) as caught:
        registry.resolve("lipsync", retries=TWICE_MORE, timeout_seconds=1.5).run(request_of(registry))
    assert [attempt.error for attempt in vars(caught.value)["attempts"]] == ["ProviderTimeout"] * 3


@pytest.mark.requirement("S46")
def test_two_providers_with_two_retries_are_six_attempts(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("one: {use: Fails}\ntwo: {use: Fails}", lipsync="{providers: [one, two]}")
    with pytest.raises(SparkleError) as caught:
        registry.resolve("lipsync", retries=TWICE_MORE).run(request_of(registry))
    tried = [(attempt.provider, attempt.number) for attempt in vars(caught.value)["attempts"]]
    assert tried == [("one", 1), ("one", 2), ("one", 3), ("two", 1), ("two", 2), ("two", 3)]
