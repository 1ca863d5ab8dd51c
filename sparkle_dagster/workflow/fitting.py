"""Whether a value of one annotation may always stand where another is expected. Annotations only, never values."""

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Annotation = Any
"""What stands behind a field's colon: a class, a union, a literal, a generic alias."""


def fits(source: Annotation, target: Annotation) -> bool:
    """Whether every value of ``source`` is one of ``target``."""
    source, target = _bare(source), _bare(target)
    if target is Any or source == target:
        return True
    if _is_union(source):
        return all(fits(member, target) for member in get_args(source))
    if _is_union(target):
        return any(fits(source, member) for member in get_args(target))
    if get_origin(source) is Literal:
        return _literal_fits(get_args(source), target)
    if source is int and target is float:
        return True
    return _class_fits(source, target)


def may_be_empty(annotation: Annotation) -> bool:
    """Whether None is one of its values."""
    return fits(type(None), annotation)


def without_none(annotation: Annotation) -> Annotation:
    """``X`` of ``X | None``."""
    annotation = _bare(annotation)
    if not _is_union(annotation):
        return annotation
    members = tuple(member for member in get_args(annotation) if member is not type(None))
    return Union[members]  # noqa: UP007  a union of a tuple that is only known at run time


def spelled(annotation: Annotation) -> str:
    """As a person writes it: ``ArtifactRef | None``."""
    annotation = _bare(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "..."
    if _is_union(annotation):
        return " | ".join(spelled(member) for member in get_args(annotation))
    if get_origin(annotation) is Literal:
        return " | ".join(repr(value) for value in get_args(annotation))
    name = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    inner = ", ".join(spelled(part) for part in get_args(annotation))
    return f"{name}[{inner}]" if inner else name


def _bare(annotation: Annotation) -> Annotation:
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _is_union(annotation: Annotation) -> bool:
    return get_origin(annotation) in {Union, types.UnionType}


def _literal_fits(values: Iterable[object], target: Annotation) -> bool:
    if get_origin(target) is Literal:
        return set(values) <= set(get_args(target))
    return all(fits(type(value), target) for value in values)


def _class_fits(source: Annotation, target: Annotation) -> bool:
    source_class, target_class = get_origin(source) or source, get_origin(target) or target
    if not (isinstance(source_class, type) and isinstance(target_class, type)):
        return False
    if not issubclass(source_class, target_class):
        return False
    expected = get_args(target)
    if not expected:
        return True
    found = get_args(source)
    return _tuple_fits(found, expected) if target_class is tuple else _arguments_fit(found, expected)


def _tuple_fits(found: tuple[Annotation, ...], expected: tuple[Annotation, ...]) -> bool:
    if expected[-1] is Ellipsis:
        return bool(found) and all(fits(item, expected[0]) for item in found if item is not Ellipsis)
    return Ellipsis not in found and _arguments_fit(found, expected)


def _arguments_fit(found: tuple[Annotation, ...], expected: tuple[Annotation, ...]) -> bool:
    if len(found) != len(expected):
        return all(_bare(item) is Any for item in expected)
    return all(fits(source, target) for source, target in zip(found, expected, strict=True))
