"""The graph as a Mermaid flowchart, for documents and reports."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkle_dagster.workflow.graph import UPLOAD, Node, Workflow

COLOURS = {"RUN": "#f5c26b", "HIT": "#a8d5a2", "PASS": "#d9d9d9"}


@dataclass(frozen=True)
class Mark:
    """What a plan says of a node."""

    planned: str
    """RUN, HIT or PASS."""
    text: str


def workflow_graph_mermaid(workflow: Workflow, marks: Mapping[str, Mark] | None = None) -> str:
    """Solid arrows carry data and name the request fields; dotted ones give order, or a condition's values, only.

    Args:
        marks: by node id; drawn on the nodes.
    """
    marks = marks or {}
    lines = ["flowchart LR", f"  {_name(UPLOAD)}([{UPLOAD}])"]
    lines += [_box(node, marks.get(node.id)) for node in workflow.nodes]
    for node in workflow.nodes:
        lines += _arrows(node)
    for planned in sorted({mark.planned for mark in marks.values()}):
        names = ",".join(_name(node_id) for node_id, mark in marks.items() if mark.planned == planned)
        lines += [f"  classDef {planned.lower()} fill:{COLOURS[planned]}", f"  class {names} {planned.lower()}"]
    return "\n".join(lines) + "\n"


def _box(node: Node, mark: Mark | None) -> str:
    text = f"<br/>{mark.planned} {_escaped(mark.text)}".rstrip() if mark else ""
    return f'  {_name(node.id)}["{node.id}<br/>{node.spec.task}{text}"]'


def _arrows(node: Node) -> list[str]:
    fields: dict[str, list[str]] = {}
    for bound in node.inputs:
        fields.setdefault(bound.source, []).append(bound.request_field)
    data = [f"  {_name(source)} -->|{', '.join(names)}| {_name(node.id)}" for source, names in fields.items()]
    order = [f"  {_name(source)} -.-> {_name(node.id)}" for source in node.spec.deps if source not in fields]
    return data + order + _conditions(node)


def _conditions(node: Node) -> list[str]:
    """Where a condition looks, on an arrow of its own."""
    seen = {UPLOAD, *node.upstream}
    looks = [
        (reference.source, condition.kind)
        for condition in node.conditions
        for reference in condition.references
        if reference.source in seen
    ]
    return [f"  {_name(source)} -.->|{kind}| {_name(node.id)}" for source, kind in dict.fromkeys(looks)]


def _escaped(text: str) -> str:
    return text.replace('"', "'").replace("<", "#lt;")


def _name(node_id: str) -> str:
    """Mermaid reserves words such as ``end``; a prefix keeps every id clear of them."""
    return f"n_{node_id}"
