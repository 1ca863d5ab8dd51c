"""Which assets a partial run makes; exactly those."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.errors import ConfigError
from sparkle_dagster.workflow.graph import UPLOAD, Workflow

REPORT = "report"


@dataclass(frozen=True)
class Selection:
    """A part of a production."""

    nodes: frozenset[str]
    """Ids of the workflow's nodes in it; neither ``upload`` nor ``report``."""
    assets: tuple[str, ...]
    """In the order in which they are made."""


def select(
    workflow: Workflow, *, only: str | None = None, from_: str | None = None, until: str | None = None
) -> Selection | None:
    """None where nothing is chosen.

    Args:
        only: this one alone.
        from_: this one and all that follows, or all on the way to ``until``; the report last.
        until: this one and all that comes before it; without the report, which waits for every node.

    Raises:
        ConfigError: an unknown name, or a choice that means nothing.
    """
    if only is not None:
        if from_ is not None or until is not None:
            raise ConfigError("expected --only NODE, or --from and --until; got both")
        assets = [only] if only in {UPLOAD, REPORT} else [_checked(workflow, only)]
        return _selected(workflow, assets)
    if from_ is None and until is None:
        return None
    reached = assets_from(workflow, from_) if from_ is not None else [node.asset_key for node in workflow.nodes]
    if until is None:
        return _selected(workflow, reached)
    _checked(workflow, until)
    before = {workflow.node(node_id).asset_key for node_id in _needed_by(workflow, until)} | {UPLOAD}
    assets = [asset for asset in reached if asset in before]
    if workflow.node(until).asset_key not in assets:
        raise ConfigError(f"expected --until a node that follows {from_}, got {until}, which does not")
    return _selected(workflow, assets)


def assets_from(workflow: Workflow, node_id: str) -> list[str]:
    """The node's asset and all that follows from it, the report last; ``report`` alone is itself."""
    if node_id == REPORT:
        return [REPORT]
    if node_id == UPLOAD:
        return [UPLOAD, *(node.asset_key for node in workflow.nodes), REPORT]
    _checked(workflow, node_id)
    return [*assets_following(workflow, {node_id}), REPORT]


def assets_following(workflow: Workflow, node_ids: Iterable[str]) -> list[str]:
    """Assets of these nodes and of every node that waits on one of them, in order."""
    reached = set(node_ids)
    for node in workflow.nodes:
        if reached & {*node.data_upstream, *node.order_upstream}:
            reached.add(node.id)
    return [node.asset_key for node in workflow.nodes if node.id in reached]


def _needed_by(workflow: Workflow, node_id: str) -> set[str]:
    needed = {node_id}
    for node in reversed(workflow.nodes):
        if node.id in needed:
            needed |= set(node.upstream)
    return needed


def _selected(workflow: Workflow, assets: list[str]) -> Selection:
    return Selection(frozenset(node.id for node in workflow.nodes if node.asset_key in assets), tuple(assets))


def _checked(workflow: Workflow, node_id: str) -> str:
    """The node's asset."""
    known = [node.id for node in workflow.nodes]
    if node_id not in known:
        raise ConfigError(f"expected a node ({', '.join([UPLOAD, *known, REPORT])}), got {node_id!r}")
    return workflow.node(node_id).asset_key
