"""Durations and sizes as people write them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.tool_registry import SizeBytes
from contracts.workflow import NodeSpec, Seconds

seconds = TypeAdapter[float](Seconds)
size = TypeAdapter[int](SizeBytes)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("500ms", 0.5), ("90s", 90), ("1.5 s", 1.5), ("10m", 600), (" 1h ", 3600), (7, 7), (0.25, 0.25)],
)
def test_a_duration_is_seconds(written: Any, expected: float) -> None:
    assert seconds.validate_python(written) == expected


@pytest.mark.parametrize("written", ["", "10", "10 minutes", "m", "-5s", "1e3s", "1h30m", ".5s", "5S", None, "5s\n1"])
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        seconds.validate_python(written)


def test_a_wrong_duration_is_told_with_examples() -> None:
    with pytest.raises(ValidationError, match="a duration such as 500ms, 90s, 10m, 1h or 30d, got '10 minutes'"):
        seconds.validate_python("10 minutes")


@pytest.mark.parametrize("timeout", ["0s", 0, -1, "169h"])
def test_a_timeout_is_more_than_nothing_and_at_most_a_week(timeout: Any) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        NodeSpec.model_validate({"id": "a", "task": "T", "outputs": ["a"], "timeout": timeout})


@pytest.mark.parametrize(
    ("written", "expected"), [("500MiB", 500 * 2**20), ("4GiB", 2**32), ("1 KiB", 1024), ("12B", 12), (7, 7)]
)
def test_a_size_is_bytes(written: Any, expected: int) -> None:
    assert size.validate_python(written) == expected


@pytest.mark.parametrize("written", ["", "500", "500MB", "1.5GiB", "-1B", "GiB", "4gib", None, 1.5])
def test_what_is_no_size_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        size.validate_python(written)
