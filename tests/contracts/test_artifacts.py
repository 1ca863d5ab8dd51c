"""A handle can only mean bytes inside the store."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.artifacts import ArtifactRef, Box, Span
from contracts.errors import ContractViolation

DIGEST = "0123456789abcdef" * 4


def ref(**changes: Any) -> ArtifactRef:
    document = {"path": "objects/01/23", "checksum": f"sha256:{DIGEST}", "size_bytes": 3, "media_type": "audio/wav"}
    return ArtifactRef.parse({**document, **changes})


@pytest.mark.parametrize("path", ["a", f"objects/01/{DIGEST}", "upload/@main/x-1.mp4", "a/b.c_d@e-f"])
def test_a_path_inside_the_store_is_taken(path: str) -> None:
    assert ref(path=path).path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "a/./b",
        ".",
        "./a",
        ".hidden",
        "a/.hidden",
        "a//b",
        "a/",
        "a\\b",
        "a\\..\\b",
        "c:/windows",
        "file:a",
        "~/a",
        "$HOME/a",
        "a\x00b",
        "a\n",
        "a\n/b",
        "a b",
        "A/B",
        "é",
        "a/\u2025/b",
        "a%2e%2e/b",
        "-rf",
        "a;b",
        "a*",
    ],
)
def test_a_hostile_path_is_refused(path: str) -> None:
    with pytest.raises(ContractViolation, match="path: expected a path inside the store"):
        ref(path=path)


@pytest.mark.requirement("S36")
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="ab./\\~@- \n\x00", max_size=12))
def test_whatever_is_taken_stays_inside(path: str) -> None:
    try:
        parts = ref(path=path).path.split("/")
    except ContractViolation:
        return
    assert all(part and not part.startswith(".") for part in parts)
    assert not set(path) & set("\\~ \n\x00")


@pytest.mark.parametrize(
    "changes",
    [
        {"checksum": DIGEST},
        {"checksum": f"sha256:{DIGEST.upper()}"},
        {"checksum": f"sha256:{DIGEST}\n"},
        {"checksum": f"sha256:{DIGEST[1:]}"},
        {"checksum": "md5:0"},
        {"size_bytes": -1},
        {"media_type": "wav"},
        {"media_type": "audio/wav; rate=8"},
        {"media_type": "Audio/WAV"},
        {"colour": "red"},
    ],
)
def test_a_wrong_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractViolation, match=f"ArtifactRef: {next(iter(changes))}: "):
        ref(**changes)


def test_the_digest_is_the_checksum_without_its_kind() -> None:
    assert ref().digest == DIGEST


def test_a_handle_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ref().path = "b"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_span_ends_after_its_start() -> None:
    assert Span(start_seconds=1, end_seconds_exclusive=3).duration_seconds == 2
    with pytest.raises(ValueError, match="expected end >= start, got 3"):
        Span(start_seconds=3, end_seconds_exclusive=1)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_is_finite(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Span(start_seconds=0, end_seconds_exclusive=number)


@pytest.mark.parametrize("size", [0, -1])
def test_a_box_has_an_area(size: int) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Box(x=0, y=0, width=size, height=1)
