"""Whether the names of an expression exist and its types fit, before anything runs. Values are never seen here."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from sparkle_dagster.workflow.expressions import Condition, Reference, WrongExpression, reference_of
from sparkle_dagster.workflow.fitting import Annotation, may_be_empty, spelled, without_none
from sparkle_dagster.workflow.problems import alternatives

PRODUCTION_FIELDS: Mapping[str, Annotation] = {"key": str, "workspace": str, "profile": str}
"""What an expression may name of ``production``; ``profile`` is the delivery profile's name."""

_ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_NUMBERS = (int, float)
_BASIC: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),  # before numbers: a bool is an int too
    "number": _NUMBERS,
    "text": (str,),
    "list": (list, tuple),
    "mapping": (dict,),
}

AnnotationOf = Callable[[str, str], Annotation | None]
"""(source, field) -> the field's type, None: no such field; raises WrongExpression for an unknown source."""


@dataclass(frozen=True)
class Names:
    """What an expression of one node may name.

    Args:
        sources: node id or ``upload`` -> its result's fields; None where that node itself is refused.
        capabilities: those of the installed tasks, for ``registry.<capability>.enabled``.
    """

    sources: Mapping[str, Mapping[str, Annotation] | None]
    capabilities: Sequence[str]

    def annotation(self, reference: Reference) -> Annotation:
        """The type of a value. Raises: WrongExpression: there is no such name."""
        if reference.source == "registry":
            return self._of_registry(reference)
        if reference.source == "production":
            fields: Mapping[str, Annotation] | None = PRODUCTION_FIELDS
        elif reference.source in self.sources:
            fields = self.sources[reference.source]
        else:
            known = [*self.sources, "production", "registry"]
            raise WrongExpression(f"unknown name {reference.source!r}{alternatives(reference.source, known)}")
        if fields is None:
            return Any
        return _descended(reference, fields)

    def _of_registry(self, reference: Reference) -> Annotation:
        capability = reference.path[0]
        if len(reference.path) != 2 or reference.path[1] != "enabled":
            raise WrongExpression(f"expected registry.<capability>.enabled, got {reference.text}")
        if capability not in self.capabilities:
            raise WrongExpression(f"unknown capability {capability!r}{alternatives(capability, self.capabilities)}")
        return bool


def check_expression(condition: Condition, names: Names) -> None:
    """Raises: WrongExpression: the first thing that is wrong."""
    found = _Checker(names).kind_of(condition.tree)
    if found is not bool and found is not Any:
        text = ast.unparse(condition.tree)
        raise WrongExpression(f"expected true or false, got {text}, a {spelled(found)}; compare it, as {text} != ...")


class _Checker:
    def __init__(self, names: Names) -> None:
        self._names = names

    def kind_of(self, node: ast.expr) -> Annotation:
        match node:
            case ast.BoolOp(values=values):
                for value in values:
                    self._require_truth(value)
                return bool
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._require_truth(operand)
                return bool
            case ast.UnaryOp(operand=operand):
                if self.kind_of(operand) not in _NUMBERS:
                    raise WrongExpression(f"expected a number after -, got {ast.unparse(operand)}")
                return self.kind_of(operand)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                for operation, one, other in zip(ops, (left, *comparators), comparators, strict=False):
                    self._check_comparison(operation, one, other)
                return bool
            case ast.Attribute():
                return self._names.annotation(reference_of(node))
            case ast.Constant(value=value):
                return type(value)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                for item in items:
                    self.kind_of(item)
                return list
            case _:
                raise WrongExpression(f"{ast.unparse(node)} is not allowed")

    def _require_truth(self, node: ast.expr) -> None:
        found = self.kind_of(node)
        if found is not bool and found is not Any:
            raise WrongExpression(f"expected true or false beside and, or, not; got {ast.unparse(node)}, {_a(found)}")

    def _check_comparison(self, operation: ast.cmpop, left: ast.expr, right: ast.expr) -> None:
        one, other = self.kind_of(left), self.kind_of(right)
        if isinstance(operation, ast.Is | ast.IsNot):
            if type(None) not in (one, other):
                raise WrongExpression(f"`is` compares with None only; use == in {_text(operation, left, right)}")
        elif isinstance(operation, ast.In | ast.NotIn):
            self._check_membership(left, right)
        elif isinstance(operation, _ORDERINGS):
            kinds = {_basic(one), _basic(other)} - {Any}
            if not kinds <= {"number"} and not kinds <= {"text"}:
                raise WrongExpression(
                    f"expected two numbers or two texts, got {_told(left, one)} and {_told(right, other)}"
                )
        else:
            self._check_equality(left, one, right, other)

    def _check_equality(self, left: ast.expr, one: Annotation, right: ast.expr, other: Annotation) -> None:
        if type(None) in (one, other) or Any in (one, other):
            return
        if _basic(one) != _basic(other) or _basic(one) == "object":
            raise WrongExpression(f"{_told(left, one)} is never equal to {_told(right, other)}")
        for values, node in ((_values(one), right), (_values(other), left)):
            if values and isinstance(node, ast.Constant) and node.value not in values:
                raise WrongExpression(f"{node.value!r} is none of its values{alternatives(str(node.value), values)}")

    def _check_membership(self, left: ast.expr, right: ast.expr) -> None:
        one, container = self.kind_of(left), self.kind_of(right)
        if isinstance(right, ast.List | ast.Tuple):
            for item in right.elts:
                self._check_equality(left, one, item, self.kind_of(item))
            return
        kind = _basic(container)
        if kind not in {"list", "mapping", "text", Any}:
            raise WrongExpression(f"expected a list or a text after in, got {_told(right, container)}")
        element = _element(container)
        if Any not in (_basic(one), element) and _basic(one) != _basic(element):
            raise WrongExpression(f"{_told(left, one)} is never in {_told(right, container)}")


def _descended(reference: Reference, fields: Mapping[str, Annotation]) -> Annotation:
    found: Annotation = None
    for depth, name in enumerate(reference.path):
        if name not in fields:
            place = ".".join((reference.source, *reference.path[:depth]))
            raise WrongExpression(f"{place} has no field {name!r}{alternatives(name, fields)}")
        found = fields[name]
        inner = without_none(found)
        is_model = isinstance(inner, type) and issubclass(inner, BaseModel)
        fields = {key: info.annotation for key, info in inner.model_fields.items()} if is_model else {}
    return found


def _basic(annotation: Annotation) -> object:
    """``text``, ``number``, ``boolean``, ``list``, ``mapping``, ``object`` or Any; what may be empty counts as full."""
    kind = without_none(annotation) if may_be_empty(annotation) and annotation is not type(None) else annotation
    if kind is Any:
        return Any
    if get_origin(kind) is Literal:
        return _basic(type(get_args(kind)[0]))
    plain = get_origin(kind) or kind
    if not isinstance(plain, type):
        return Any
    return next((name for name, classes in _BASIC.items() if issubclass(plain, classes)), "object")


def _element(container: Annotation) -> Annotation:
    """Type of what stands in a list; of a mapping's keys; a text holds texts."""
    inner = without_none(container) if may_be_empty(container) else container
    arguments = [argument for argument in get_args(inner) if argument is not Ellipsis]
    return arguments[0] if arguments and _basic(inner) in {"list", "mapping"} else str


def _values(annotation: Annotation) -> list[str]:
    """The only values there are of a type; empty: any."""
    kind = without_none(annotation) if may_be_empty(annotation) else annotation
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [str(item.value) for item in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _a(annotation: Annotation) -> str:
    return f"a {spelled(annotation)}"


def _told(node: ast.expr, annotation: Annotation) -> str:
    return f"{ast.unparse(node)} ({spelled(annotation)})"


def _text(operation: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
    return ast.unparse(ast.Compare(left, [operation], [right]))
