"""What events and runs add up to: states, late words, history; and that it is made again from nothing."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from contracts.events import NodeEvent, NodeStatus
from contracts.status import Eta, NodeState, ProductionStatus
from sparkle_dagster.defs.jobs import build_production_job
from sparkle_dagster.observability.service.dagster_watch import RunWatch
from sparkle_dagster.observability.service.history import remaining, whole
from sparkle_dagster.observability.service.projection import Projection
from sparkle_dagster.observability.spool import EventSpool, SpooledEvent
from sparkle_dagster.observability.store_status import Facts
from sparkle_dagster.workspace import Workspace
from tests.sparkle_dagster.observability.conftest import KEY
from tests.sparkle_dagster.observability.events import event

NODES = ["upload", "lipsync", "qa"]


@pytest.fixture
def projection(tmp_path: Path) -> Iterator[Projection]:
    made = Projection(tmp_path / "status.sqlite", NODES)
    yield made
    made.close()


def told(projection: Projection, *events: NodeEvent) -> None:
    first = projection.number + 1
    projection.apply([SpooledEvent(first + index, item) for index, item in enumerate(events)], {})


def of(node_id: str, status: NodeStatus, run_id: str = "r1", **fields: object) -> NodeEvent:
    return event(1, status, node_id=node_id, run_id=run_id, production=KEY, **fields)


def states(projection: Projection) -> list[NodeStatus | None]:
    status = projection.production(KEY)
    assert status is not None
    return [node.status for node in status.nodes]


def test_production_goes_from_queued_to_running_to_succeeded(projection: Projection) -> None:
    told(projection, *(of(node, NodeStatus.QUEUED) for node in NODES))
    assert [item.state for item in projection.in_flight()] == ["queued"]
    told(projection, of("upload", NodeStatus.RUNNING))
    assert [item.state for item in projection.in_flight()] == ["running"]
    for node in NODES:
        told(projection, of(node, NodeStatus.RUNNING), of(node, NodeStatus.SUCCEEDED))
    assert projection.in_flight() == []
    assert projection.counts() == {"succeeded": 1}


def test_event_that_was_taken_in_before_changes_nothing(projection: Projection) -> None:
    item = SpooledEvent(1, of("lipsync", NodeStatus.SUCCEEDED))
    projection.apply([item], {})
    projection.apply([item], {})
    assert projection.counters("latency_count") == [(("lipsync", "mouth_warp"), 1.0)]


def test_late_word_of_an_earlier_run_is_not_the_later_ones(projection: Projection) -> None:
    told(projection, of("lipsync", NodeStatus.RUNNING), of("lipsync", NodeStatus.QUEUED, "r2"))
    told(projection, of("lipsync", NodeStatus.FAILED, error="RunLost"))
    assert states(projection)[1] is NodeStatus.QUEUED
    told(projection, of("lipsync", NodeStatus.RUNNING, "r2"), of("lipsync", NodeStatus.CANCELLED, "r2"))
    assert projection.counts() == {"cancelled": 1}


def test_retry_shows_its_number_and_why(projection: Projection) -> None:
    told(projection, of("lipsync", NodeStatus.RUNNING), of("lipsync", NodeStatus.RETRYING, error="ProviderTimeout"))
    status = projection.production(KEY)
    assert status is not None
    assert (status.nodes[1].attempt, status.nodes[1].error) == (2, "ProviderTimeout")


def test_productions_are_found_by_words_and_state(projection: Projection) -> None:
    projection.apply(
        [SpooledEvent(1, of("upload", NodeStatus.SUCCEEDED))], {(KEY, "upload"): Facts(title="Good Day, 100%")}
    )
    for words in ("good day", "VOICE", "100%", "day voice"):
        assert [item.production for item in projection.search(words)] == [KEY]
    assert projection.search("bad day") == []
    assert projection.search(state="failed") == []


def test_older_layout_is_made_anew(tmp_path: Path) -> None:
    import sqlite3

    base = sqlite3.connect(tmp_path / "status.sqlite")
    base.execute("CREATE TABLE productions (something_else TEXT)")
    base.commit()
    base.close()
    made = Projection(tmp_path / "status.sqlite", NODES)
    told(made, of("upload", NodeStatus.QUEUED))
    assert made.counts() == {"queued": 1}
    made.close()


def test_history_tells_what_is_left_with_a_range(projection: Projection) -> None:
    for number in range(1, 12):
        item = of("lipsync", NodeStatus.SUCCEEDED, latency_ms=1000 * number)
        projection.apply([SpooledEvent(projection.number + 1, item)], {(KEY, "lipsync"): Facts(duration_seconds=10.0)})
    expected = projection.history.expected("lipsync", 20.0)  # twice as much voice
    assert expected == Eta(seconds=12.0, low_seconds=4.0, high_seconds=20.0, samples=11)
    assert projection.history.expected("qa", 20.0) is None
    running = NodeState(node_id="lipsync", status=NodeStatus.RUNNING)
    assert remaining(running, expected, 5.0) == Eta(seconds=7.0, low_seconds=0.0, high_seconds=15.0, samples=11)
    half = running.model_copy(update={"percent": 50.0})
    known = remaining(half, expected, 3.0)
    assert known is not None
    assert known.seconds == 3.0
    assert known.low_seconds <= 3.0 <= known.high_seconds


def test_parallel_nodes_count_once_and_an_unknown_one_makes_all_unknown() -> None:
    nodes = [NodeState(node_id=name, status=NodeStatus.QUEUED) for name in ("a", "b", "c")]
    two, five = (Eta(seconds=n, low_seconds=n, high_seconds=n, samples=3) for n in (2.0, 5.0))
    found = whole(nodes, {"a": two, "b": five, "c": two}, {"c": ("a", "b")})
    assert found is not None
    assert found.seconds == 7.0
    assert whole(nodes, {"a": two, "b": None, "c": two}, {"c": ("a", "b")}) is None


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


def run_in(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    @dg.job
    def nothing() -> None: ...

    return instance.create_run_for_job(nothing, status=status, tags={"dagster/partition": KEY})


@pytest.mark.parametrize("seen", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_run_without_a_word_shows_at_once_and_its_loss_too(
    workspace: Workspace, instance: dg.DagsterInstance, seen: dg.DagsterRunStatus
) -> None:
    order = ["upload", *(node.id for node in workspace.workflow.nodes), "report"]
    projection = Projection(workspace.settings.home / "status.sqlite", order)
    watch = RunWatch(instance, workspace, projection)
    projection.put(ProductionStatus(production="older", state="succeeded", updated_at="2026-01-01T00:00:00.000+00:00"))
    run = run_in(instance, seen)
    watch.take_in(watch.changed_runs())
    (status,) = projection.in_flight()
    assert (status.state, status.run_id) == ("queued", run.run_id)
    assert [item.production for item in projection.search()] == [KEY, "older"]
    assert {node.status for node in status.nodes} == {NodeStatus.QUEUED}
    assert projection.active_runs() == [run.run_id]
    instance.report_run_failed(run, "its process is gone")
    watch.take_in(watch.changed_runs())
    spool = EventSpool(workspace.settings.home / "events" / "spool")
    items = spool.read(0)
    assert [(item.event.node_id, item.event.status.value, item.event.error) for item in items] == [
        ("upload", "failed", "RunLost"),
        *((node, "blocked", "") for node in order[1:]),
    ]
    projection.apply(items, {})
    watch.take_in(watch.changed_runs())
    assert spool.last == len(items)
    assert projection.counts() == {"failed": 1, "succeeded": 1}
    assert projection.lost_runs() == (run.run_id,)
    projection.close()


def test_run_of_another_workspace_is_not_ours(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    projection = Projection(workspace.settings.home / "status.sqlite", NODES)
    watch = RunWatch(instance, workspace, projection)
    foreign = dg.AssetKey(["studio", "upload"])

    @dg.asset(key=foreign)
    def upload() -> None: ...

    job = dg.Definitions(assets=[upload], jobs=[build_production_job()]).resolve_job_def("production")
    instance.create_run_for_job(job, asset_selection=frozenset({foreign}), tags={"dagster/partition": KEY})
    assert watch.changed_runs() == []
    projection.close()
