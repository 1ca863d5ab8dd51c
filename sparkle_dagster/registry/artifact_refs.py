"""Finding and replacing the artifacts inside a request or a result, at any depth."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from contracts.artifacts import ArtifactRef

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def find_refs(value: object) -> Iterator[ArtifactRef]:
    """Every ArtifactRef in models, tuples, lists and dictionaries."""
    if isinstance(value, ArtifactRef):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from find_refs(getattr(value, name))
    elif isinstance(value, dict):
        for item in cast(dict[Any, object], value).values():
            yield from find_refs(item)
    elif isinstance(value, list | tuple):
        for item in cast(tuple[object, ...], value):
            yield from find_refs(item)


def replace_refs(model: AnyModel, replace: Callable[[ArtifactRef], ArtifactRef]) -> AnyModel:
    """A copy with every ArtifactRef replaced."""
    return cast(AnyModel, _replaced(model, replace))


def _replaced(value: object, replace: Callable[[ArtifactRef], ArtifactRef]) -> object:
    if isinstance(value, ArtifactRef):
        return replace(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return value.model_copy(update={name: _replaced(getattr(value, name), replace) for name in fields})
    if isinstance(value, dict):
        return {key: _replaced(item, replace) for key, item in cast(dict[Any, object], value).items()}
    if isinstance(value, tuple):
        return tuple(_replaced(item, replace) for item in cast(tuple[object, ...], value))
    if isinstance(value, list):
        return [_replaced(item, replace) for item in cast(list[object], value)]
    return value
