"""Which annotations may stand where which are expected."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.production import CaptionPolicy, TaskResult
from contracts.script import ScriptResult
from sparkle_dagster.workflow.fitting import fits, may_be_empty, spelled, without_none


class Colour(StrEnum):
    RED = "red"


FITTING = [
    (ArtifactRef, ArtifactRef),
    (ArtifactRef, ArtifactRef | None),
    (ArtifactRef | None, Optional[ArtifactRef]),  # noqa: UP045
    (ScriptResult, TaskResult),
    (ScriptResult, Union[ScriptResult, None]),  # noqa: UP007
    (str, Annotated[str, Field(max_length=3)]),
    (Annotated[str, Field(max_length=3)], str),
    (str, Any),
    (None | str, Any),
    (CaptionPolicy, CaptionPolicy),
    (Literal["none"], CaptionPolicy),
    (CaptionPolicy, str),
    (Colour, str),
    (int, float),
    (int, float | None),
    (str, int | str),
    (tuple[str, ...], tuple[str, ...]),
    (tuple[ScriptResult, ...], tuple[TaskResult, ...]),
    (tuple[str, str], tuple[str, ...]),
    (tuple[str, int], tuple[str, float]),
    (dict[str, Any], dict[str, Any]),
    (dict[str, int], dict[str, Any]),
    (dict[str, str], dict),
    (list[int], Sequence[int]),
    (list, list[Any]),
]

NOT_FITTING = [
    (ArtifactRef | None, ArtifactRef),
    (TaskResult, ScriptResult),
    (str, ArtifactRef),
    (str, CaptionPolicy),
    (CaptionPolicy, Literal["none"]),
    (str, Colour),
    (Any, str),
    (float, int),
    (str, None),
    (str | int, str),
    (tuple[str, ...], tuple[int, ...]),
    (tuple[str, ...], tuple[str, str]),
    (tuple[str, ...], tuple[str, Any]),
    (tuple[str, str], tuple[str]),
    (tuple, tuple[str, ...]),
    (list[str], tuple[str, ...]),
    (dict[str, Any], dict[str, int]),
    (list, list[int]),
    (str, list[str]),
]


@pytest.mark.parametrize(("source", "target"), FITTING, ids=lambda item: spelled(item))
def test_a_value_that_always_fits_is_taken(source: Any, target: Any) -> None:
    assert fits(source, target)


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(("source", "target"), NOT_FITTING, ids=lambda item: spelled(item))
def test_a_value_that_may_not_fit_is_refused(source: Any, target: Any) -> None:
    assert not fits(source, target)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (ArtifactRef | None, "ArtifactRef | None"),
        (tuple[str, ...], "tuple[str, ...]"),
        (dict[str, Any], "dict[str, Any]"),
        (Literal["a", "b"], "'a' | 'b'"),
        (Annotated[int, Field(gt=0)], "int"),
        (None, "None"),
    ],
)
def test_an_annotation_is_spelled_as_a_person_writes_it(annotation: Any, text: str) -> None:
    assert spelled(annotation) == text


def test_none_is_taken_out_of_a_union() -> None:
    assert may_be_empty(str | None)
    assert not may_be_empty(str)
    assert without_none(str | None) is str
    assert without_none(str | int | None) == str | int
    assert without_none(str) is str
