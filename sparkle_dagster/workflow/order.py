"""In which order nodes can run. Not here: what flows between them."""

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter


def find_cycle(upstream: Mapping[str, Set[str]]) -> tuple[str, ...] | None:
    """Ids along one cycle in the direction of the data, first and last the same; None when there is none.

    Args:
        upstream: node id -> ids of the nodes that must come before it.
    """
    try:
        TopologicalSorter(_sorted(upstream)).prepare()
    except CycleError as error:
        path: list[str] = error.args[1]
        return _from_first_id(path[:-1])
    return None


def in_order(upstream: Mapping[str, Set[str]]) -> tuple[str, ...]:
    """Ids so that each stands after all of its upstream; among equals, in the order of ``upstream``.

    Raises: graphlib.CycleError: ask ``find_cycle`` first.
    """
    place = {node_id: index for index, node_id in enumerate(upstream)}
    sorter = TopologicalSorter(upstream)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        order.extend(ready)
        sorter.done(*ready)
    return tuple(order)


def _sorted(upstream: Mapping[str, Set[str]]) -> dict[str, list[str]]:
    """Sets have no order of their own, and which cycle is named must not change from run to run."""
    return {node_id: sorted(before) for node_id, before in upstream.items()}


def _from_first_id(cycle: list[str]) -> tuple[str, ...]:
    start = cycle.index(min(cycle))
    turned = cycle[start:] + cycle[:start]
    return (*turned, turned[0])
