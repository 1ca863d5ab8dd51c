"""The graph as a Mermaid flowchart, for documents and reports."""

from sparkle_dagster.workflow.graph import UPLOAD, Node, Workflow


def workflow_graph_mermaid(workflow: Workflow) -> str:
    """Solid arrows carry data and name the request fields; dotted ones (``deps``) give order only."""
    lines = ["flowchart LR", f"  {_name(UPLOAD)}([{UPLOAD}])"]
    lines += [f'  {_name(node.id)}["{node.id}<br/>{node.spec.task}"]' for node in workflow.nodes]
    for node in workflow.nodes:
        lines += _arrows(node)
    return "\n".join(lines) + "\n"


def _arrows(node: Node) -> list[str]:
    fields: dict[str, list[str]] = {}
    for bound in node.inputs:
        fields.setdefault(bound.source, []).append(bound.request_field)
    data = [f"  {_name(source)} -->|{', '.join(names)}| {_name(node.id)}" for source, names in fields.items()]
    order = [f"  {_name(source)} -.-> {_name(node.id)}" for source in node.spec.deps if source not in fields]
    return data + order


def _name(node_id: str) -> str:
    """Mermaid reserves words such as ``end``; a prefix keeps every id clear of them."""
    return f"n_{node_id}"
