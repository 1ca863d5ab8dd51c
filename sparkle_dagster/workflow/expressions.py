"""The language of ``when`` and ``skip_if``: comparisons of contract fields, joined by and, or, not.

An allow-list of syntax, no functions, no indexing, a capped length: every expression ends, and says true or false. An
ordering with an empty value is false. Not here: which names exist and whether types fit (``expression_check``).
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from simpleeval import SimpleEval

from contracts.errors import ContractViolation

Kind = Literal["when", "skip_if"]

MAX_CHARACTERS = 500
SHOWN_CHARACTERS = 60
"""Of a value in a reason."""
_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Is,
    ast.IsNot,
    ast.Constant,
    ast.Attribute,
    ast.Name,
    ast.List,
    ast.Tuple,
    ast.Load,
)
_CONSTANTS = (str, int, float, bool, type(None))
_LANGUAGE = "allowed are and, or, not, comparisons, in, texts, numbers, True, False, None, [lists], <name>.<field>"


class WrongExpression(ValueError):
    """What is wrong with the text of an expression, as a sentence."""


@dataclass(frozen=True)
class Reference:
    """A value that an expression names: ``upload.tags``, ``script.metrics.word_count``."""

    source: str
    """Id of a node, ``upload``, ``production`` or ``registry``."""
    path: tuple[str, ...]

    @property
    def text(self) -> str:
        return ".".join((self.source, *self.path))


@dataclass(frozen=True)
class Decision:
    """What a condition decided, and from which values."""

    runs: bool
    reason: str


@dataclass(frozen=True)
class Condition:
    """One ``when`` or ``skip_if``, its syntax checked."""

    kind: Kind
    text: str

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every value it names, once, in the order of the text."""
        return tuple(dict.fromkeys(reference_of(node) for node in _walk(self._tree) if isinstance(node, ast.Attribute)))

    @property
    def tree(self) -> ast.expr:
        return self._tree.body

    def decide(self, values: Mapping[str, Any]) -> Decision:
        """Whether the node runs.

        Args:
            values: text of each reference -> its JSON value.

        Raises:
            ContractViolation: the values are of types that cannot be compared.
        """
        tree = _NamedReferences().visit(self._parsed().body)
        try:
            found = bool(_Evaluator(values).eval(self.text, previously_parsed=tree))
        except Exception as error:
            shown = ", ".join(f"{name} = {_shown(value)}" for name, value in values.items())
            raise ContractViolation(f"{self.kind} {self.text!r} cannot be decided with {shown}: {error}") from error
        return Decision(found == (self.kind == "when"), self._reason(found, values))

    def _reason(self, found: bool, values: Mapping[str, Any]) -> str:
        shown = ", ".join(f"{reference.text} is {_shown(values[reference.text])}" for reference in self.references)
        return f"{self.kind} {self.text} is {'true' if found else 'false'}: {shown or 'it names no value'}"

    @cached_property
    def _tree(self) -> ast.Expression:
        return self._parsed()

    def _parsed(self) -> ast.Expression:
        """Raises: WrongExpression."""
        if len(self.text) > MAX_CHARACTERS:
            raise WrongExpression(f"expected at most {MAX_CHARACTERS} characters, got {len(self.text)}")
        try:
            tree = ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = error.msg if isinstance(error, SyntaxError) else str(error)
            raise WrongExpression(f"expected an expression such as upload.language == 'en'; {why}") from error
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED) or (
                isinstance(node, ast.Constant) and type(node.value) not in _CONSTANTS
            ):
                raise WrongExpression(f"{_spelled(node)} is not allowed; {_LANGUAGE}")
        for node in _walk(tree):
            if isinstance(node, ast.Name):
                raise WrongExpression(f"expected <name>.<field>, got {node.id!r}{_hint(node.id)}")
        return tree


def condition_of(kind: Kind, text: str) -> Condition:
    """Raises: WrongExpression: too long, no expression, or syntax that is not allowed."""
    condition = Condition(kind, text)
    assert condition.references is not None
    return condition


def reference_of(node: ast.Attribute) -> Reference:
    """``a.b.c`` of a chain of attributes. Raises: WrongExpression: it does not begin with a name."""
    parts: list[str] = []
    found: ast.expr = node
    while isinstance(found, ast.Attribute):
        parts.insert(0, found.attr)
        found = found.value
    if not isinstance(found, ast.Name):
        raise WrongExpression(f"expected <name>.<field>, got {ast.unparse(node)}")
    if any(part.startswith("_") for part in (found.id, *parts)):
        raise WrongExpression(f"{ast.unparse(node)} is not allowed: no name begins with an underscore")
    return Reference(found.id, tuple(parts))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node, but nothing inside a reference."""
    yield node
    if not isinstance(node, ast.Attribute):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


class _NamedReferences(ast.NodeTransformer):
    """A reference becomes one name, so that nothing is ever looked up on an object."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return ast.copy_location(ast.Name(reference_of(node).text, ast.Load()), node)


class _Evaluator(SimpleEval):
    """Knows lists besides what the library's simplest evaluator knows, and no function."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(operators=dict(_OPERATORS), functions={}, names=dict(values))
        nodes = cast(dict[type[ast.AST], Callable[..., Any]], self.nodes)
        nodes |= {ast.List: self._eval_items, ast.Tuple: self._eval_items}

    def _eval_items(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self._eval(item) for item in node.elts]


def _spelled(node: ast.AST) -> str:
    if isinstance(node, ast.expr):
        text = ast.unparse(node)
        return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} ..."
    return type(node).__name__.lower()


def _hint(name: str) -> str:
    known = {"true": "True", "false": "False", "null": "None", "none": "None"}
    if name.lower() in known:
        return f"; did you mean {known[name.lower()]}?"
    return "; a text stands in quotes, inside those of the YAML file"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} ..."


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: left is not None and right is not None and compare(left, right)


def _within(left: Any, right: Any) -> bool:
    return right is not None and left in right


def _without(left: Any, right: Any) -> bool:
    return not _within(left, right)


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _within,
    ast.NotIn: _without,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
