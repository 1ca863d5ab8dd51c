"""From a node's outcome to a committed generation, and the order in which it becomes visible."""

from contracts.production import TaskResult
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.execution.contents import contents_of
from sparkle_dagster.execution.memo import remember
from sparkle_dagster.execution.node_run import NodeOutcome


def commit_outcome(
    store: ArtifactStore, asset: str, production: str, outcome: NodeOutcome, attempt_id: str
) -> Manifest:
    """The next generation of ``<asset>/<production>``; the memo's pointer follows it.

    The commit of the manifest is the one commit point: before it nothing of the run is visible.

    Args:
        attempt_id: the same attempt with the same outcome commits once.
    """
    result: TaskResult = outcome.result
    document = {
        "contract": type(result).__name__,
        "data_version": outcome.data_version,
        "fields": dict(contents_of(result).fields),
        "result": result.model_dump(mode="json"),
        "record": outcome.record.model_dump(mode="json"),
    }
    manifest = store.commit(f"{asset}/{production}", document, attempt_id=attempt_id)
    if outcome.remember_as:
        remember(store, outcome.record.node_id, outcome.remember_as, manifest.key, manifest.generation)
    return manifest
