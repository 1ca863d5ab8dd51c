"""What a policy and people decided of a production, and what follows for its next runs.

A policy's decision is its node's newest result; a person's is a ruling, ``ruling/<production>``. A policy is shown both
with its request, so memo, plan and staleness know when it has to decide anew, and carrying on is bringing up to date.
"""

import uuid
from datetime import UTC, datetime
from typing import Literal

from contracts.errors import ArtifactMissing, ConfigError
from contracts.production import Decisions, Ruling
from contracts.qa import Decision, QAReviewResult
from contracts.upload import UploadResult
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.execution.contents import contents_of
from sparkle_dagster.registry.candidates import NO_OP
from sparkle_dagster.workflow.graph import Node
from sparkle_dagster.workspace import Workspace

RULING = "ruling"
"""Keys ``ruling/<production>``: ``{"ruling": Ruling}``; the newest generation counts."""


def policy_node(workspace: Workspace) -> Node | None:
    """The last node whose provider is shown what was decided; None where the workflow has none."""
    for node in reversed(workspace.workflow.nodes):
        candidates = workspace.registry.candidates(node.capability, provider=node.spec.provider)
        if any("decisions" in candidate.sees and candidate.name != NO_OP for candidate in candidates):
            return node
    return None


def decisions_of(workspace: Workspace, production: str, upload: UploadResult) -> Decisions:
    """All that was decided of it as it was taken in; another upload of it begins anew."""
    node = policy_node(workspace)
    if node is None:
        return Decisions()
    decided, version = decision_of(workspace, node, production), contents_of(upload).whole
    providers = {other.id: _able(workspace, other) for other in workspace.workflow.nodes if other.id != node.id}
    return Decisions(
        upload=version,
        providers=providers,
        regenerations=decided.regenerations if decided is not None and decided.upload == version else (),
        ruling=ruling_of(workspace.store, production),
    )


def decision_of(workspace: Workspace, node: Node, production: str) -> Decision | None:
    """The newest of a policy's node; None where it has not decided."""
    manifest = _newest(workspace, f"{node.asset_key}/{production}")
    if manifest is None:
        return None
    result = node.task.result_type.parse(manifest.document["result"])
    return result.decision if isinstance(result, QAReviewResult) else None


def is_pending(workspace: Workspace, production: str) -> bool:
    """A run is wanted that nobody has made: the policy asked for one, or has not heard a person's word."""
    node = policy_node(workspace)
    decided = decision_of(workspace, node, production) if node is not None else None
    if decided is None:
        return False
    return decided.action == "regenerate" or decided.ruling != ruling_of(workspace.store, production)


def rule(workspace: Workspace, production: str, verdict: Literal["approve", "reject"], *, by: str, note: str) -> Ruling:
    """Keep a person's word on the newest video that the policy's node reviews.

    Raises:
        ConfigError: no policy has decided on this production, or the result can never be approved.
    """
    node = policy_node(workspace)
    manifest = _newest(workspace, f"{node.asset_key}/{production}") if node is not None else None
    if node is None or manifest is None:
        raise ConfigError(
            f"expected a production that a policy has decided on, got {production}; a workflow with a node of "
            "`provider: qa/policy` has them: docs/policy.md"
        )
    result = manifest.document["result"]
    if verdict == "approve" and result["fidelity"] in {"passthrough", "stub"}:
        raise ConfigError(
            f"{production} is {result['fidelity']}: a part of the work was not done, so it is never approved; "
            "turn the node on that was off, then `sparkle refresh`"
        )
    reviewed = next(bound for bound in node.inputs if bound.request_field == "video")
    source = workspace.workflow.node(reviewed.source)
    video = workspace.read_result(source.asset_key, production)[reviewed.source_field or "assembled_video"]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    ruling = Ruling(verdict=verdict, of=str(video["checksum"]).removeprefix("sha256:"), by=by, note=note, at=at)
    document = {"ruling": ruling.model_dump(mode="json")}
    workspace.store.commit(f"{RULING}/{production}", document, attempt_id=f"{verdict}:{uuid.uuid4().hex}")
    return ruling


def ruling_of(store: ArtifactStore, production: str) -> Ruling | None:
    try:
        return Ruling.model_validate(store.read(f"{RULING}/{production}").document["ruling"])
    except ArtifactMissing:
        return None


def approvals(store: ArtifactStore) -> dict[str, str]:
    """Production -> who approved it, of those that a person did. Raises: ArtifactError: a ruling cannot be read."""
    found = {key.partition("/")[2]: ruling_of(store, key.partition("/")[2]) for key in store.keys(f"{RULING}/")}
    return {
        production: f"approved by {ruling.by}"
        for production, ruling in found.items()
        if ruling is not None and ruling.verdict == "approve"
    }


def _able(workspace: Workspace, node: Node) -> tuple[str, ...]:
    registry = workspace.registry
    candidates = registry.candidates(node.capability, provider=node.spec.provider)
    return tuple(
        item.name for item in candidates if registry.unavailable(item, node.spec.lane) is None and not item.is_no_op
    )


def _newest(workspace: Workspace, key: str) -> Manifest | None:
    try:
        return workspace.store.read(key)
    except ArtifactMissing:
        return None
