"""A checked workflow as values: nodes in an order in which they can run, and what flows between them."""

from dataclasses import dataclass
from typing import Any

from contracts.tasks import Task
from contracts.workflow import NodeSpec, WorkflowSpec
from sparkle_dagster.workflow.expressions import Condition

UPLOAD = "upload"
"""The root that is not a node: intake makes it, and its fields are those of ``UploadResult``."""

RESERVED = (UPLOAD, "production", "registry", "report")
"""Names that mean something of the platform's; neither a node nor an asset of the file may take one."""


@dataclass(frozen=True)
class BoundInput:
    """One request field and where its value comes from."""

    request_field: str
    source: str
    """Id of a node, or ``upload``."""
    source_field: str | None
    """Field of the source's result; None means the whole result."""


@dataclass(frozen=True)
class Node:
    """One stage with everything its declaration decides."""

    spec: NodeSpec
    task: type[Task[Any, Any]]
    inputs: tuple[BoundInput, ...]
    upstream: tuple[str, ...]
    """Ids of the nodes that come before it, by data or by ``deps``, in the workflow's order; never ``upload``."""
    uses_upload: bool
    """Whether an input, a condition or ``deps`` names ``upload``."""
    conditions: tuple[Condition, ...] = ()
    """``when`` and ``skip_if``, checked; all of them must let the node run."""

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def capability(self) -> str:
        return self.task.capability

    @property
    def data_upstream(self) -> tuple[str, ...]:
        """Ids of the nodes whose results it reads, for its request or a condition; never ``upload``."""
        sources = {bound.source for bound in self.inputs}
        sources |= {reference.source for condition in self.conditions for reference in condition.references}
        return tuple(node_id for node_id in self.upstream if node_id in sources)

    @property
    def order_upstream(self) -> tuple[str, ...]:
        """Ids of the nodes it only waits for."""
        return tuple(node_id for node_id in self.upstream if node_id not in self.data_upstream)

    @property
    def asset_key(self) -> str:
        """Asset that holds the node's whole result; without the workspace's prefix."""
        return self.spec.outputs[0]


@dataclass(frozen=True)
class Workflow:
    """``nodes`` stand in topological order; among equals, in the order of the file."""

    spec: WorkflowSpec
    nodes: tuple[Node, ...]
    definition_digest: str
    """SHA-256 of what the file says, 64 hex digits: neither its form, key order nor comments change it."""
    file: str

    @property
    def name(self) -> str:
        return self.spec.name

    def node(self, node_id: str) -> Node:
        """Raises: KeyError: no such node."""
        return {node.id: node for node in self.nodes}[node_id]

    def downstream_of(self, node_id: str) -> tuple[str, ...]:
        """Ids of all nodes that come after ``node_id`` (or ``upload``), in the workflow's order."""
        reached = {node_id}
        for node in self.nodes:
            if reached.intersection(node.upstream) or (node.uses_upload and node_id == UPLOAD):
                reached.add(node.id)
        return tuple(node.id for node in self.nodes if node.id in reached and node.id != node_id)
