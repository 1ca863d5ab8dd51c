"""Load ``workflow.yaml``: shape, then names and types, then order; every problem with its line, in one report."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.base import digest_of
from contracts.tasks import Task
from contracts.upload import UploadResult
from contracts.workflow import NodeSpec, WorkflowSpec
from sparkle_dagster.workflow.checks import Declared, Source, check_conditions, check_names, check_node
from sparkle_dagster.workflow.expressions import Condition, Kind, WrongExpression, condition_of
from sparkle_dagster.workflow.graph import UPLOAD, BoundInput, Node, Workflow
from sparkle_dagster.workflow.order import find_cycle, in_order
from sparkle_dagster.workflow.problems import Problems, alternatives, told
from sparkle_dagster.yaml_file import ValuePath, load_document

Tasks = Mapping[str, type[Task[Any, Any]]]
Inputs = Mapping[str, tuple[BoundInput, ...]]


def load_workflow(path: Path, tasks: Tasks) -> Workflow:
    """Load and check a workflow, YAML or JSON.

    Args:
        tasks: name, as ``task:`` gives it -> task class; what the installed packages bring.

    Raises:
        ConfigError: everything that is wrong, one problem a line, each with file, line, expected and found.
    """
    document = load_document(path)
    problems = Problems(document)
    data, entries = document.data, document.data.get("nodes")
    _check_shape(data, problems)
    declared = _declared(entries, tasks, problems)
    sources = _sources(entries, declared)
    check_names(declared, problems)
    inputs = {node.spec.id: check_node(node, sources, problems) for node in declared}
    capabilities = sorted(task.capability for task in tasks.values())
    for node in declared:
        check_conditions(node, sources, capabilities, problems)
    upstream = _upstream(declared)
    _check_cycles(declared, upstream, problems)
    problems.raise_if_any()
    spec = WorkflowSpec.model_validate(data)
    nodes = tuple(_nodes(declared, inputs, upstream))
    return Workflow(spec=spec, nodes=nodes, definition_digest=digest_of(workflow_document(spec)), file=document.file)


def _check_shape(data: dict[str, Any], problems: Problems) -> None:
    """The whole as a contract; what is wrong inside a node is left to ``_declared``."""
    try:
        WorkflowSpec.model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            place = item["loc"] or ("schema_version",)  # the only thing checked of the whole
            if len(place) < 2:
                problems.add(told(item, WorkflowSpec), place)


def _declared(entries: object, tasks: Tasks, problems: Problems) -> list[Declared]:
    """The well-formed nodes; the others are reported."""
    found: list[Declared] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        path = ("nodes", index)
        where = f"node {entry['id']!r}: " if isinstance(entry, dict) and "id" in entry else f"nodes.{index}: "
        try:
            spec = NodeSpec.model_validate(entry)
        except ValidationError as error:
            problems.add_validation(error, NodeSpec, where, path)
            continue
        task = tasks.get(spec.task)
        if task is None:
            problems.add(f"{where}unknown task {spec.task!r}{alternatives(spec.task, tasks)}", (*path, "task"))
        found.append(Declared(spec, task, path, _conditions(spec, where, path, problems)))
    return found


def _conditions(spec: NodeSpec, where: str, path: ValuePath, problems: Problems) -> tuple[Condition, ...]:
    """Those whose syntax is right; the others are reported."""
    found: list[Condition] = []
    written: tuple[tuple[Kind, str | None], ...] = (("when", spec.when), ("skip_if", spec.skip_if))
    for kind, text in written:
        try:
            found += [condition_of(kind, text)] if text is not None else []
        except WrongExpression as error:
            problems.add(f"{where}{kind}: {error}", (*path, kind))
    return tuple(found)


def _sources(entries: object, declared: list[Declared]) -> dict[str, Source]:
    """What inputs may name: the upload, every node, and without a type those that are refused themselves."""
    sources: dict[str, Source] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            sources[entry["id"]] = Source(None, None)
    for node in declared:
        sources[node.spec.id] = Source(node.task.result_type if node.task else None, node.spec.outputs[0])
    sources[UPLOAD] = Source(UploadResult, None)
    return sources


def _upstream(declared: list[Declared]) -> dict[str, set[str]]:
    """Node id -> ids of the nodes before it, in the order of the file."""
    ids = {node.spec.id for node in declared}
    return {node.spec.id: ids & _named_by(node) for node in declared}


def _named_by(node: Declared) -> set[str]:
    """Nodes, or ``upload``, that a node names in its inputs, conditions and deps."""
    named = {text.partition(".")[0] for text in node.spec.inputs.values()}
    named |= {reference.source for condition in node.conditions for reference in condition.references}
    return named.union(node.spec.deps)


def _check_cycles(declared: list[Declared], upstream: Mapping[str, set[str]], problems: Problems) -> None:
    paths = {node.spec.id: node.path for node in declared}
    left = dict(upstream)
    while (cycle := find_cycle(left)) is not None:
        problems.add(f"expected an order without a cycle, got {' -> '.join(cycle)}", (*paths[cycle[0]], "id"))
        left = {node_id: before.difference(cycle) for node_id, before in left.items() if node_id not in cycle}


def _nodes(declared: list[Declared], inputs: Inputs, upstream: Mapping[str, set[str]]) -> Iterator[Node]:
    order = in_order(upstream)
    by_id = {node.spec.id: node for node in declared}
    for node_id in order:
        node = by_id[node_id]
        if node.task is not None:  # an unknown task was a problem before
            before = tuple(name for name in order if name in upstream[node_id])
            uses_upload = UPLOAD in _named_by(node)
            yield Node(node.spec, node.task, inputs[node_id], before, uses_upload, node.conditions)


def workflow_document(spec: WorkflowSpec) -> dict[str, Any]:
    """As it was validated, so that ``10m`` and ``600`` are one; nodes by id: their order means nothing.

    Defaults are left out: a key that a later version brings does not change the document of a file without it.
    """
    document = spec.model_dump(mode="json", exclude={"nodes"}, exclude_defaults=True)
    nodes = {node.id: node.model_dump(mode="json", exclude_defaults=True) for node in spec.nodes}
    return {**document, "nodes": nodes}
