"""Documents that a contract accepts, derived from its own annotations, for property tests."""

import types
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Strategy = st.SearchStrategy[Any]

_JSON_LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
JSON_VALUES = st.recursive(
    _JSON_LEAVES | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


def _span(_: type[BaseModel]) -> Strategy:
    start, length = st.floats(0, 1e6), st.floats(0, 1e6)
    return st.builds(lambda a, b: {"start_seconds": a, "end_seconds_exclusive": a + b}, start, length)


def _with_its_bucket(model: type[BaseModel]) -> Strategy:
    """What is kept in a bucket names it; a folder may name one all the same."""
    return _fields(model).map(lambda document: {**document, "bucket": document.get("bucket") or "a-bucket"})


def _with_its_cluster(model: type[BaseModel]) -> Strategy:
    """A lane of Ray says where its cluster is."""
    return _fields(model).map(lambda document: {**document, "address": document.get("address") or "head:6379"})


def _with_names_of_their_own(model: type[BaseModel]) -> Strategy:
    """Of several sinks of one name the first stays."""

    def first_of_each_name(document: dict[str, Any]) -> dict[str, Any]:
        sinks = {sink.get("name", sink["kind"]): sink for sink in reversed(document.get("sinks", []))}
        return {**document, "sinks": list(sinks.values())}

    return _fields(model).map(first_of_each_name)


SPECIAL_MODELS: dict[str, Callable[[type[BaseModel]], Strategy]] = {
    "Span": _span,
    "Evidence": _span,
    "Lane": _with_its_cluster,
    "StoreSettings": _with_its_bucket,
    "UploadSettings": _with_its_bucket,
    "PlatformSettings": _with_names_of_their_own,
}
"""Models whose fields limit each other."""

SPECIAL_FIELDS: dict[str, Strategy] = {
    "ArtifactRef.path": st.lists(_NAMES, min_size=1, max_size=3).map("/".join),
    "NodeSpec.inputs": st.dictionaries(_NAMES, st.tuples(_NAMES, _NAMES).map(".".join), max_size=2),
    "NodeSpec.timeout": st.floats(1, 86400),
    "FaceTrack.transforms": st.lists(st.none() | st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), max_size=2),
    "QAReviewResult.verdict": st.sampled_from(["review", "reject", "not_reviewed"]),
}
"""Fields with a rule of their own, which an annotation does not show."""


@cache
def documents(model: type[BaseModel]) -> Strategy:
    """JSON-like documents of ``model``; optional fields are sometimes left out.

    One strategy for each model: Hypothesis examines every one that it meets before it draws.
    """
    if special := SPECIAL_MODELS.get(model.__name__):
        return special(model)
    return _fields(model)


def _fields(model: type[BaseModel]) -> Strategy:
    required, optional = {}, {}
    for name, field in model.model_fields.items():
        if name != "schema_version":
            (required if field.is_required() else optional)[name] = _of_field(model, name, field)
    return st.fixed_dictionaries(required, optional=optional)


def _of_field(model: type[BaseModel], name: str, field: FieldInfo) -> Strategy:
    special = SPECIAL_FIELDS.get(f"{model.__name__}.{name}")
    return special if special is not None else _of(field.annotation, tuple(field.metadata))


def _of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Strategy:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = tuple(part for item in args[1:] for part in (item.metadata if isinstance(item, FieldInfo) else [item]))
        return _of(args[0], (*inner, *metadata))
    if origin in {Union, types.UnionType}:
        return st.one_of([_of(member, metadata) for member in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(_of(args[0]), min_size=_limit(metadata, "min_length", 0), max_size=2).filter(
            lambda items: len(items) <= _limit(metadata, "max_length", 2)
        )
    if origin is dict:
        return st.dictionaries(_of(args[0]), _of(args[1]), min_size=_limit(metadata, "min_length", 0), max_size=2)
    return _of_class(annotation, metadata)


def _of_class(annotation: Any, metadata: tuple[Any, ...]) -> Strategy:
    if annotation is Any:
        return JSON_VALUES
    if annotation is type(None):
        return st.none()
    if issubclass(annotation, BaseModel):
        return st.deferred(lambda: documents(annotation))
    if issubclass(annotation, Enum):
        return st.sampled_from([member.value for member in annotation])
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(*_range(metadata, -(2**53), 2**53, step=1))
    if annotation is float:
        return st.floats(*_range(metadata, -1e9, 1e9, step=1e-3), allow_nan=False)
    if annotation is str:
        return _text(metadata)
    raise TypeError(f"no strategy for {annotation!r}: add one")


def _text(metadata: tuple[Any, ...]) -> Strategy:
    pattern = next((item.pattern for item in metadata if getattr(item, "pattern", None)), None)
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True).filter(lambda text: not text.endswith("\n"))
    return st.text(min_size=_limit(metadata, "min_length", 0), max_size=min(20, _limit(metadata, "max_length", 20)))


def _range(metadata: tuple[Any, ...], lowest: float, highest: float, *, step: float) -> tuple[Any, Any]:
    """Inclusive limits that fulfil ``ge gt le lt``."""
    low = max([lowest, *_values(metadata, "ge"), *(value + step for value in _values(metadata, "gt"))])
    high = min([highest, *_values(metadata, "le"), *(value - step for value in _values(metadata, "lt"))])
    return low, high


def _values(metadata: tuple[Any, ...], name: str) -> list[Any]:
    return [getattr(item, name) for item in metadata if getattr(item, name, None) is not None]


def _limit(metadata: tuple[Any, ...], name: str, default: int) -> int:
    return next(iter(_values(metadata, name)), default)
