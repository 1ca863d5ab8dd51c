"""Whether a node runs in one production: ``when`` and ``skip_if`` over the values that they name."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, cast

from pydantic import BaseModel

from contracts.production import ProductionSpec
from sparkle_dagster.workflow.expressions import Decision, Reference
from sparkle_dagster.workflow.graph import Node

ValueOf = Callable[[Reference], Any]
"""JSON value of a field of ``upload`` or of a node's result."""
RUNS_ALWAYS = Decision(runs=True, reason="")


def decide(node: Node, value_of: ValueOf, production: ProductionSpec, is_enabled: Callable[[str], bool]) -> Decision:
    """All conditions of a node must let it run; the reason is the first one's that does not.

    Args:
        is_enabled: capability -> whether the tool registry has it turned on.

    Raises:
        ContractViolation: a condition cannot be decided with today's values.
    """

    def value(reference: Reference) -> Any:
        if reference.source == "registry":
            return is_enabled(reference.path[0])
        if reference.source == "production":
            names = {"key": production.key, "workspace": production.workspace, "profile": production.profile.name}
            return names[reference.path[0]]
        return value_of(reference)

    decided = [
        condition.decide({reference.text: value(reference) for reference in condition.references})
        for condition in node.conditions
    ]
    against = next((decision for decision in decided if not decision.runs), None)
    if against is not None:
        return against
    return Decision(runs=True, reason="; ".join(decision.reason for decision in decided)) if decided else RUNS_ALWAYS


def values_in(documents: Mapping[str, Any]) -> ValueOf:
    """Looks values up in results: by node id, with ``upload``, as models or as JSON documents."""

    def value_of(reference: Reference) -> Any:
        found: Any = documents[reference.source]
        for name in reference.path:
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name)
            if found is None:
                return None
        return _plain(found)

    return value_of


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in cast(tuple[Any, ...], value)] if isinstance(value, tuple) else value
