"""Which assets a partial run makes."""

from collections.abc import Iterable

from contracts.errors import ConfigError
from sparkle_dagster.workflow.graph import Workflow

REPORT = "report"


def assets_from(workflow: Workflow, node_id: str) -> list[str]:
    """The node's asset and all that follows from it, the report last; ``report`` alone is itself."""
    if node_id == REPORT:
        return [REPORT]
    if node_id == "upload":
        return ["upload", *(node.asset_key for node in workflow.nodes), REPORT]
    known = [node.id for node in workflow.nodes]
    if node_id not in known:
        raise ConfigError(f"expected a node ({', '.join(['upload', *known, REPORT])}), got {node_id!r}")
    return [*assets_following(workflow, {node_id}), REPORT]


def assets_following(workflow: Workflow, node_ids: Iterable[str]) -> list[str]:
    """Assets of these nodes and of every node that waits on one of them, in order."""
    reached = set(node_ids)
    for node in workflow.nodes:
        if reached & {*node.data_upstream, *node.order_upstream}:
            reached.add(node.id)
    return [node.asset_key for node in workflow.nodes if node.id in reached]
