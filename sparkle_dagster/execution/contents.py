"""What results hold and what a node reads of them, as digests: the ground of memo, plan and staleness.

A digest here is of a value's canonical JSON. Not here: providers, and what follows from a difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.base import Fidelity, digest_of, least
from contracts.production import ProductionPart, ProductionSpec, TaskResult
from sparkle_dagster.workflow.graph import UPLOAD, Node

INPUT_FIDELITY = "input_fidelity"
_PRODUCTION = "production."


@dataclass(frozen=True)
class Contents:
    """A result as its readers see it."""

    whole: str
    """Data version: digest of the content, 64 hex digits; equal content stops the cascade."""
    fields: Mapping[str, str]
    """Field -> digest of its value."""
    fidelity: Fidelity


def contents_of(result: TaskResult) -> Contents:
    """Digests of the content as a whole and of each field."""
    content = result.content().model_dump(mode="json")
    fields = result.model_dump(mode="json")
    whole = digest_of({name: value for name, value in content.items() if name not in {"provider", "notes"}})
    return Contents(whole, {name: digest_of(value) for name, value in fields.items()}, result.fidelity)


def what_is_read(
    node: Node, contents: Mapping[str, Contents], production: ProductionSpec, sees: Iterable[ProductionPart]
) -> dict[str, str]:
    """Request field -> digest of what a provider of ``node`` is given for it, and so all that it can depend on.

    Args:
        contents: by node id, with ``upload``; those that the node binds must be there.
        sees: parts of the production that the provider is shown.
    """
    read = {field: digest_of(value) for field, value in node.spec.params.items()}
    for bound in node.inputs:
        source = contents[bound.source]
        read[bound.request_field] = source.whole if bound.source_field is None else source.fields[bound.source_field]
    bound_sources = {UPLOAD, *(bound.source for bound in node.inputs)}
    fidelities = (contents[source].fidelity for source in bound_sources)
    read[INPUT_FIDELITY] = digest_of(least(*fidelities).value)
    return read | {f"{_PRODUCTION}{part}": digest_of(production.part(part)) for part in sorted(sees)}


def read_again(
    node: Node, contents: Mapping[str, Contents], production: ProductionSpec, before: Mapping[str, str]
) -> dict[str, str]:
    """As ``what_is_read``, of the parts of the production that were read ``before``."""
    parts: list[Any] = [name.removeprefix(_PRODUCTION) for name in before if name.startswith(_PRODUCTION)]
    return what_is_read(node, contents, production, parts)


def differences(node: Node, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What changed, in the words of the workflow: ``upload.title``, ``params.no_face_policy``, ``the delivery``."""
    changed = [name for name in (*before, *(set(after) - set(before))) if before.get(name) != after.get(name)]
    return tuple(dict.fromkeys(_named(node, name) for name in changed))


def _named(node: Node, name: str) -> str:
    if name in node.spec.inputs:
        return node.spec.inputs[name]
    if name.startswith(_PRODUCTION):
        words = {
            "identity": "the production",
            "delivery": "the delivery profile",
            "limits": "the limits of the checks",
            "decisions": "what was decided of it",
        }
        return words[name.removeprefix(_PRODUCTION)]
    return "the fidelity of its inputs" if name == INPUT_FIDELITY else f"params.{name}"
