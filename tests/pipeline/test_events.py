"""Every node tells what becomes of it, in the installation's spool: each change once, and one last word."""

from pathlib import Path

import pytest

from contracts.events import NodeEvent
from sparkle_dagster.observability.spool import EventSpool
from tests.pipeline.conftest import Made
from tests.project import Project

MEASURED = ("script", "lipsync", "video", "qa")


def told(project: Project, run_id: str) -> dict[str, list[NodeEvent]]:
    """The events of a run by node, in order."""
    found: dict[str, list[NodeEvent]] = {}
    spool = EventSpool(project.home / "events" / "spool")
    for item in spool.read(0, limit=10_000):
        if item.event.run_id == run_id:
            found.setdefault(item.event.node_id, []).append(item.event)
    return found


@pytest.mark.requirement("S39")
def test_every_node_is_queued_runs_and_says_one_last_word(made: Made) -> None:
    events = told(made.project, made.run_id)
    assert list(events) == ["upload", "script", "lipsync", "video", "qa", "report"]
    for node_id, those in events.items():
        assert [event.status.value for event in those] == ["queued", "running", "succeeded"], node_id


@pytest.mark.requirement("S39")
def test_last_word_carries_what_the_design_asks(made: Made) -> None:
    events = told(made.project, made.run_id)
    summary = made.project.sparkle("show", made.key)
    providers = {node["node_id"]: node["provider"] for node in summary["nodes"]}
    for node_id in MEASURED:
        last = events[node_id][-1]
        assert (last.node_id, last.provider, last.retries) == (node_id, providers[node_id], 0)
        assert last.latency_ms > 0
        assert last.artifacts or node_id == "script"
        assert (last.production, last.workspace, last.run_id) == (made.key, "main", made.run_id)
        assert last.fidelity is not None
        assert last.cache == "miss"
        assert last.queue_ms is not None
        assert last.cpu_s is not None
        assert last.cpu_s > 0.05
        assert last.peak_memory_mb is not None
        assert 20 < last.peak_memory_mb < 4000
        assert last.gpu_memory_mb is None
        assert '"gpu_memory_mb"' not in last.as_json()
        assert len(last.definition_digest) == 64
    made_by_it = made.project.result("aligned_video", made.key)["aligned_video"]["checksum"]
    assert made_by_it in {artifact.checksum for artifact in events["lipsync"][-1].artifacts}
    assert len({event.event_id for those in events.values() for event in those}) == 18


def test_refused_upload_has_failed_and_the_rest_is_blocked(project: Project, tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_text("this is no sound at all")
    done = project.command("run", noise, "--json")
    assert done.returncode == 1
    spool = EventSpool(project.home / "events" / "spool")
    (run_id,) = {item.event.run_id for item in spool.read(0)}
    events = told(project, run_id)
    assert [event.status.value for event in events["upload"]] == ["queued", "running", "failed"]
    assert events["upload"][-1].error == "UploadRejected"
    assert "the audio cannot be used" in events["upload"][-1].message
    for node_id in (*MEASURED, "report"):
        assert [event.status.value for event in events[node_id]] == ["queued", "blocked"]


def test_sinks_are_brought_up_to_date_by_hand(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    project.edit(
        "configs/tool_registry.yaml",
        "[{kind: stdout, style: human}, {kind: prometheus}]",
        f"[{{kind: jsonl, path: {out}}}]",
    )
    noise = tmp_path / "noise.wav"
    noise.write_text("this is no sound at all")
    project.command("run", noise, "--json")
    answer = project.sparkle("events", "--deliver")
    assert answer["last"] == len(out.read_text().splitlines()) == answer["sinks"][0]["cursor"]["delivered"]
    out.unlink()
    out.mkdir()
    project.command("run", noise, "--json")
    done = project.command("events", "--deliver")
    assert done.returncode == 1
    assert "jsonl: IsADirectoryError" in done.stderr
    assert "Traceback" not in done.stderr
