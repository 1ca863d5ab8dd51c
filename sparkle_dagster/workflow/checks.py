"""What a well-formed node may still get wrong: names that do not exist, types that do not fit, things said twice."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from contracts.production import TaskResult
from contracts.tasks import Task
from contracts.workflow import NodeSpec
from sparkle_dagster.workflow.expression_check import Names, check_expression
from sparkle_dagster.workflow.expressions import Condition, WrongExpression
from sparkle_dagster.workflow.fitting import Annotation, fits, may_be_empty, spelled, without_none
from sparkle_dagster.workflow.graph import RESERVED, BoundInput
from sparkle_dagster.workflow.problems import Problems, alternatives, told
from sparkle_dagster.yaml_file import ValuePath

FILLED_BY_PLATFORM = ("production", "input_fidelity", "schema_version")
"""Request fields that no file may set."""

_OWNER = re.compile(r"team:\S+|[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Declared:
    """A well-formed node, the task it names (None: unknown, already reported), and where it stands in the file."""

    spec: NodeSpec
    task: type[Task[Any, Any]] | None
    path: ValuePath
    conditions: tuple[Condition, ...] = ()

    @property
    def where(self) -> str:
        return f"node {self.spec.id!r}: "


@dataclass(frozen=True)
class Source:
    """What may stand before the dot of an input. ``result`` is None where that node itself is refused."""

    result: type[TaskResult] | None
    asset: str | None

    def annotation_of(self, field: str) -> Annotation | None:
        """Type of one field of the result, or of the whole result for the name of its asset; None: no such name."""
        if self.is_whole(field):
            return self.result
        info = self._fields.get(field)
        return info.annotation if info else None

    def is_whole(self, field: str) -> bool:
        """Whether ``field`` is the asset's name; a field of the result of that name goes first."""
        return field == self.asset and field not in self._fields

    def names(self) -> list[str]:
        """Everything that may stand after the dot."""
        return sorted((set(self._fields) - {"schema_version"}) | ({self.asset} if self.asset else set()))

    def annotations(self) -> dict[str, Annotation] | None:
        """Type of each field of the result; None where that node itself is refused."""
        if self.result is None:
            return None
        return {name: info.annotation for name, info in self._fields.items() if name != "schema_version"}

    @property
    def _fields(self) -> dict[str, FieldInfo]:
        return self.result.model_fields if self.result else {}


def check_names(declared: Iterable[Declared], problems: Problems) -> None:
    """Ids and assets: none reserved, none twice."""
    ids: dict[str, int] = {}
    assets: dict[str, str] = {}
    for index, node in enumerate(declared):
        asset, id_path, asset_path = node.spec.outputs[0], (*node.path, "id"), (*node.path, "outputs", 0)
        if node.spec.id in RESERVED:
            problems.add(f"{node.where}the id is reserved; reserved are: {', '.join(RESERVED)}", id_path)
        if asset in RESERVED:
            problems.add(f"{node.where}output {asset!r} is reserved; reserved are: {', '.join(RESERVED)}", asset_path)
        if ids.setdefault(node.spec.id, index) != index:
            problems.add(f"{node.where}duplicate id; each node needs its own", id_path)
        elif assets.setdefault(asset, node.spec.id) != node.spec.id:
            message = f"duplicate output {asset!r}; node {assets[asset]!r} makes it already"
            problems.add(f"{node.where}{message}", asset_path)


def check_node(node: Declared, sources: Mapping[str, Source], problems: Problems) -> tuple[BoundInput, ...]:
    """Everything about one node but its place in the graph; the inputs that could be bound."""
    _check_deps(node, sources, problems)
    _check_owners(node, problems)
    if node.task is None:
        return ()
    _check_provider(node, node.task, problems)
    bound = _bind_inputs(node, node.task, sources, problems)
    _check_params(node, node.task, problems)
    _check_required(node, node.task, problems)
    return bound


def check_conditions(
    node: Declared, sources: Mapping[str, Source], capabilities: Sequence[str], problems: Problems
) -> None:
    """Names and types of ``when`` and ``skip_if``."""
    names = Names({name: source.annotations() for name, source in sources.items()}, capabilities)
    for condition in node.conditions:
        try:
            check_expression(condition, names)
        except WrongExpression as error:
            problems.add(f"{node.where}{condition.kind}: {error}", (*node.path, condition.kind))


def _check_deps(node: Declared, sources: Mapping[str, Source], problems: Problems) -> None:
    for index, name in enumerate(node.spec.deps):
        if name not in sources:
            message = f"{node.where}deps: unknown node {name!r}{alternatives(name, sources)}"
            problems.add(message, (*node.path, "deps", index))


def _check_owners(node: Declared, problems: Problems) -> None:
    for index, owner in enumerate(node.spec.owners):
        if not _OWNER.fullmatch(owner):
            message = f"{node.where}owners: expected an e-mail address or 'team:<name>', got {owner!r}"
            problems.add(message, (*node.path, "owners", index))


def _check_provider(node: Declared, task: type[Task[Any, Any]], problems: Problems) -> None:
    if node.spec.provider and (found := node.spec.provider.partition("/")[0]) != task.capability:
        message = f"expected a provider of {task.capability!r} ({node.spec.task}), got one of {found!r}"
        problems.add(f"{node.where}provider: {message}", (*node.path, "provider"))


def _bind_inputs(
    node: Declared, task: type[Task[Any, Any]], sources: Mapping[str, Source], problems: Problems
) -> tuple[BoundInput, ...]:
    bound: list[BoundInput] = []
    for field, text in node.spec.inputs.items():
        name, _, source_field = text.partition(".")
        problem = _wrong_field(field, task) or _wrong_source(field, name, source_field, task, sources)
        if problem:
            problems.add(f"{node.where}inputs: {problem}", (*node.path, "inputs", field))
        elif name in sources:
            whole = sources[name].is_whole(source_field)
            bound.append(BoundInput(field, name, None if whole else source_field))
    return tuple(bound)


def _wrong_field(field: str, task: type[Task[Any, Any]]) -> str | None:
    request = task.request_type
    if field in FILLED_BY_PLATFORM:
        return f"{field!r} is filled by the platform; remove the line"
    if field not in request.model_fields:
        known = set(request.model_fields) - set(FILLED_BY_PLATFORM)
        return f"{request.__name__} has no field {field!r}{alternatives(field, known)}"
    return None


def _wrong_source(
    field: str, name: str, source_field: str, task: type[Task[Any, Any]], sources: Mapping[str, Source]
) -> str | None:
    if (source := sources.get(name)) is None:
        return f"{field}: unknown node {name!r}{alternatives(name, sources)}"
    if source.result is None:
        return None
    found = source.annotation_of(source_field)
    if found is None:
        return f"{field}: {name!r} ({source.result.__name__}) has no field {source_field!r}" + alternatives(
            source_field, source.names()
        )
    return _misfit(field, f"{name}.{source_field}", found, task)


def _misfit(field: str, text: str, found: Annotation, task: type[Task[Any, Any]]) -> str | None:
    """Why values of ``found`` cannot always fill the request's ``field``; None when they can."""
    request = task.request_type
    expected = request.model_fields[field].annotation
    if fits(found, expected):
        return None
    if may_be_empty(found) and fits(without_none(found), expected):
        return (
            f"{field}: {text} may be empty ({spelled(found)}), "
            f"but {request.__name__}.{field} always needs a value ({spelled(expected)})"
        )
    return f"{field}: expected {spelled(expected)} for {request.__name__}.{field}, got {text}, a {spelled(found)}"


def _check_params(node: Declared, task: type[Task[Any, Any]], problems: Problems) -> None:
    params: dict[str, Any] = {}
    for field, value in node.spec.params.items():
        problem = _wrong_field(field, task)
        if field in node.spec.inputs:
            problem = f"{field!r} is bound in inputs as well ({node.spec.inputs[field]}); keep one of the two"
        if problem:
            problems.add(f"{node.where}params: {problem}", (*node.path, "params", field))
        else:
            params[field] = value
    _check_values(node, task, params, problems)


def _check_values(node: Declared, task: type[Task[Any, Any]], params: dict[str, Any], problems: Problems) -> None:
    """Validate the literals as the request will; what other fields lack is not their fault."""
    try:
        task.request_type.model_validate(params)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            if item["loc"] and item["loc"][0] in params:
                message = f"{node.where}params: {told(item, task.request_type)}"
                problems.add(message, (*node.path, "params", *item["loc"]))


def _check_required(node: Declared, task: type[Task[Any, Any]], problems: Problems) -> None:
    for field, info in task.request_type.model_fields.items():
        given = field in node.spec.inputs or field in node.spec.params
        if info.is_required() and not given and field not in FILLED_BY_PLATFORM:
            message = f"{field!r} of {task.request_type.__name__} is required and bound neither in inputs nor in params"
            problems.add(f"{node.where}{message}", (*node.path, "inputs"))
