"""Quality checks as Dagster asset checks. Which ids exist is declared by the delivery profiles' limits."""

import warnings

import dagster as dg

from contracts.qa import QACheck, QAReviewResult, Verdict
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.observability.words import limits_in_words, spans_in_words, value_in_words
from sparkle_dagster.workflow.graph import Node
from sparkle_dagster.workspace import Workspace


def check_specs(workspace: Workspace, node: Node, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per id that a profile has limits for; none on a node that is not a review."""
    if not issubclass(node.task.result_type, QAReviewResult):
        return []
    with warnings.catch_warnings():
        # Dagster marks partitioned checks as a preview; without them one production's pass hides another's failure.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [dg.AssetCheckSpec(check_id, asset=key, partitions_def=PRODUCTIONS) for check_id in _declared(workspace)]


def check_results(workspace: Workspace, review: QAReviewResult, key: dg.AssetKey) -> list[dg.AssetCheckResult]:
    """A result for every declared check; what was not measured says so and never looks like a pass of the review."""
    found = {check.id: check for check in review.checks}
    return [_result(found.get(check_id), check_id, review, key) for check_id in _declared(workspace)]


def _declared(workspace: Workspace) -> list[str]:
    return sorted({check_id for profile in workspace.registry.profiles.values() for check_id in profile.limits})


def _result(check: QACheck | None, check_id: str, review: QAReviewResult, key: dg.AssetKey) -> dg.AssetCheckResult:
    if check is None or check.status == "skipped":
        reviewed = review.verdict is not Verdict.NOT_REVIEWED
        return dg.AssetCheckResult(
            check_name=check_id,
            asset_key=key,
            passed=reviewed,
            severity=dg.AssetCheckSeverity.WARN,
            description=(check.message if check else "") or ("not measured here" if reviewed else "not reviewed"),
        )
    return dg.AssetCheckResult(
        check_name=check_id,
        asset_key=key,
        passed=check.status == "pass",
        severity=dg.AssetCheckSeverity.ERROR if check.status == "fail" else dg.AssetCheckSeverity.WARN,
        description=check.message,
        metadata={
            "title": check.title,
            "value": dg.MetadataValue.text(value_in_words(check)),
            "limits": dg.MetadataValue.text(limits_in_words(check) or "none"),
            "evidence": dg.MetadataValue.text(spans_in_words(check.evidence) or "none"),
            **({"measured": dg.MetadataValue.float(check.value)} if isinstance(check.value, float) else {}),
        },
    )
