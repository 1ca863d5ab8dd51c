"""States that only the event log knows, from real runs of assets named as the workflow's."""

from typing import Any

import dagster as dg
import pytest

from sparkle_dagster.observability.run_states import unfinished_nodes
from sparkle_dagster.workspace import Workspace
from tests.sparkle_dagster.observability.conftest import KEY

CHAIN = ("upload", "script", "aligned_video", "assembled_video", "qa_report")
NODES = ("upload", "script", "lipsync", "video", "qa")


def chain(failing: str = "") -> list[dg.AssetsDefinition]:
    """The workflow's assets in a row; one of them may fail as a node does."""

    def make(name: str, before: str | None) -> dg.AssetsDefinition:
        def compute() -> None:
            if name == failing:
                metadata: dict[str, Any] = {
                    "error": "ProviderTimeout",
                    "message": "2 s passed",
                    "attempts": dg.MetadataValue.json(
                        [{"provider": "slow", "number": number, "latency_ms": 1} for number in (1, 2)]
                    ),
                }
                raise dg.Failure("late", metadata=metadata, allow_retries=False)

        return dg.asset(name=name, deps=[before] if before else [])(compute)

    return [make(name, before) for name, before in zip(CHAIN, (None, *CHAIN), strict=False)]


def run(instance: dg.DagsterInstance, failing: str = "", selection: list[str] | None = None) -> None:
    dg.materialize(
        chain(failing),
        instance=instance,
        raise_on_error=False,
        tags={"dagster/partition": KEY},
        selection=selection,
    )


def states(instance: dg.DagsterInstance, workspace: Workspace) -> dict[str, str]:
    found = unfinished_nodes(instance, workspace, KEY)
    return {node_id: node.status.value for node_id, node in found.items() if node.status}


@pytest.mark.requirement("S46", "X11")
def test_what_waits_on_a_failed_node_is_blocked(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, failing="aligned_video")
        assert states(instance, workspace) == {"lipsync": "failed", "video": "blocked", "qa": "blocked"}
        failed = unfinished_nodes(instance, workspace, KEY)["lipsync"]
    assert failed.error == "ProviderTimeout: 2 s passed"
    assert (failed.provider, failed.retries) == ("slow", 1)


def test_later_run_of_the_failed_part_clears_it(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, failing="aligned_video")
        run(instance, selection=["aligned_video", "assembled_video"])
        assert states(instance, workspace) == {"qa": "blocked"}
        run(instance, selection=["qa_report"])
        assert states(instance, workspace) == {}


def test_run_that_has_not_begun_is_queued_and_a_cancelled_one_cancelled(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        waiting = dg.DagsterRun(
            job_name="production",
            run_id="11111111-1111-1111-1111-111111111111",
            status=dg.DagsterRunStatus.STARTING,
            tags={"dagster/partition": KEY},
        )
        instance.add_run(waiting)
        assert states(instance, workspace) == dict.fromkeys(NODES, "queued")
        instance.report_run_canceled(waiting)
        assert states(instance, workspace) == dict.fromkeys(NODES, "cancelled")


def test_other_productions_are_not_mixed_in(workspace: Workspace) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, failing="upload")
        assert unfinished_nodes(instance, workspace, "other-0123456789abcdef") == {}
