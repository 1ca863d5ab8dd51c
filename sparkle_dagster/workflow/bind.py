"""From a node's declaration and the results before it to the request's document."""

import copy
from collections.abc import Mapping
from typing import Any

from contracts.errors import ContractViolation
from contracts.production import TaskResult
from contracts.upload import UploadResult
from sparkle_dagster.workflow.graph import UPLOAD, BoundInput, Node


def bind(node: Node, upload: UploadResult, results: Mapping[str, TaskResult]) -> dict[str, Any]:
    """The document for ``node.task.request_type.model_validate``: literals, and fields of results as objects.

    Args:
        results: node id -> its result; those that the node's inputs name must be there.

    Raises: ContractViolation: a result that an input names is not there.
    """
    document: dict[str, Any] = copy.deepcopy(node.spec.params)
    for bound in node.inputs:
        document[bound.request_field] = _value_of(bound, node, upload, results)
    return document


def _value_of(bound: BoundInput, node: Node, upload: UploadResult, results: Mapping[str, TaskResult]) -> object:
    source = upload if bound.source == UPLOAD else results.get(bound.source)
    if source is None:
        raise ContractViolation(
            f"node {node.id!r}: expected the result of {bound.source!r} for {bound.request_field!r}, "
            f"got results of: {', '.join(sorted(results)) or 'none'}"
        )
    # A result as a whole comes without what says who made it and how: a reader cannot depend on it.
    return source.content() if bound.source_field is None else getattr(source, bound.source_field)
