"""One branch fails, the other ends well; what waits on the failed one is blocked; every attempt is seen everywhere."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import Project

SECOND = """
  - id: second
    task: ScriptGenerationTask
    inputs: {audio_track: upload.audio_track, language: upload.language}
    outputs: [second_script]
"""
REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_cheap_project(tmp_path_factory.mktemp("branches") / "project")
    workflow = project.root / WORKFLOW
    workflow.write_text(workflow.read_text().rstrip() + SECOND)
    project.edit(WORKFLOW, "retries: {max: 1, delay_s: 5}", "retries: {max: 2}")
    return project


@dataclass(frozen=True)
class Failed:
    """A production of which lip-sync failed with both of its providers, and what the command said."""

    key: str
    code: int
    errors: str


@pytest.fixture(scope="module")
def failed(project: Project) -> Failed:
    project.edit(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [broken, alsobroken]}")
    done = project.command("run", second_of_sound(project.root / "one.wav"))
    project.edit(REGISTRY, "lipsync: {providers: [broken, alsobroken]}", "lipsync: {providers: [broken, mouth]}")
    (key,) = [key.removeprefix("upload/") for key in project.store.keys("upload/")]
    return Failed(key, done.returncode, done.stderr)


@pytest.mark.requirement("S34", "S46", "X11")
def test_failed_branch_blocks_what_waits_on_it_and_nothing_else(project: Project, failed: Failed) -> None:
    assert failed.code == 1
    assert "lipsync (alsobroken) failed: ProviderFailed" in failed.errors
    key = failed.key
    nodes = {node["node_id"]: node for node in project.sparkle("status", key)["nodes"]}
    assert {node_id: node["status"] for node_id, node in nodes.items()} == {
        "upload": "succeeded",
        "script": "succeeded",
        "second": "succeeded",
        "lipsync": "failed",
        "video": "blocked",
        "qa": "blocked",
    }
    tried = [(item["provider"], item["number"], item["error"]) for item in nodes["lipsync"]["attempts"]]
    assert tried == [(name, number, "ProviderFailed") for name in ("broken", "alsobroken") for number in (1, 2, 3)]
    shown = project.command("status", key).stdout
    assert "broken #3 ProviderFailed after" in shown
    assert "blocked" in shown


@pytest.mark.requirement("S34", "X10")
def test_failover_is_never_silent(project: Project, failed: Failed, tmp_path: Path) -> None:
    """Event, record, metadata, summary and page name who failed, how, and after how long."""
    key = failed.key
    project.sparkle("rerun", key, "--from", "lipsync")
    node = next(node for node in project.sparkle("show", key)["nodes"] if node["node_id"] == "lipsync")
    assert [item["provider"] for item in node["attempts"]] == ["broken", "broken", "broken", "mouth"]
    record = project.store.read(f"aligned_video/{key}").document["record"]
    assert [item["error"] for item in record["attempts"]] == ["ProviderFailed"] * 3 + [""]
    assert [item["outcome"] for item in record["trace"]] == ["failed", "selected"]
    page = project.sparkle("export", key, "--to", tmp_path / "out")["report.html"]
    assert "broken #3 ProviderFailed" in Path(page).read_text()
    events = "".join(path.read_text() for path in (project.home / "events/spool").glob("*.jsonl"))
    assert '"number":3,"error":"ProviderFailed"' in events
    import dagster as dg

    with project.instance() as instance:
        found = instance.get_latest_materialization_event(dg.AssetKey("aligned_video"))
        assert found is not None
        assert found.asset_materialization is not None
        table = str(found.asset_materialization.metadata["attempts"].value)
    assert "| broken | 3 | ProviderFailed |" in table
    assert "| mouth | 1 | succeeded |" in table
    assert project.sparkle("refresh", key)[0]["runs"] == [], "a failover is no reason to run again"
