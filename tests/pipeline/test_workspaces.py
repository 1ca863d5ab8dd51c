"""`sparkle workspace add`: a tenant with its own places, limits and code location; what it may not use or see."""

import io
import subprocess
from pathlib import Path

import dagster as dg
import pytest
from ruamel.yaml import YAML

from contracts.errors import ArtifactMissing, ConfigError, UploadRejected
from sparkle_dagster.defs import sensor
from sparkle_dagster.defs.jobs import PRODUCTION_TAG, SHADOW_JOB, WORKSPACE_TAG
from sparkle_dagster.defs.partitions import partitions_name
from sparkle_dagster.execution.intake import Admission, admit
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import Project, make_project

ASSETS = "from sparkle_dagster.definitions import defs; print(*defs.resolve_asset_graph().get_all_asset_keys())"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def workspace_of(project: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SPARKLE_WORKSPACE", name)
    return load_workspace(project.root)


@pytest.mark.requirement("S61", "X7")
def test_a_new_workspace_has_places_of_its_own_and_dagster_loads_both(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project.sparkle("workspace", "add", "studio", "--max-bytes", "1GiB", "--in-flight", "3")
    assert len(made["token"]) >= 32
    assert made["variable"] == "STUDIO_SPARKLE_TOKEN"
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert not [path for path in files if made["token"].encode() in path.read_bytes()]
    assert project.sparkle("workspace", "list") == ["main", "studio"]
    main, studio = (workspace_of(project, name, monkeypatch) for name in ("main", "studio"))
    quota = studio.registry.settings.quota
    assert (quota.max_bytes, quota.productions_in_flight) == (2**30, 3)
    assert studio.inbox == Path(made["inbox"]) != main.inbox
    ref = main.store.put(io.BytesIO(b"main's"), "text/plain")
    main.store.commit("upload/a-1", {"x": ref.model_dump(mode="json")}, attempt_id="a")
    assert not studio.store.exists(ref)
    assert studio.store.keys() == ()
    with pytest.raises(ArtifactMissing, match="nothing was committed"):
        studio.store.read("upload/a-1")
    (location,) = [
        item["python_module"]
        for item in YAML().load((project.root / "workspace.yaml").read_text())["load_from"]
        if item["python_module"]["location_name"] == "studio"
    ]
    environment = {name: value for name, value in project.environment.items() if name != "SPARKLE_WORKSPACE"}
    done = subprocess.run(
        [location["executable_path"], "-c", ASSETS],
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "studio" in done.stdout
    assert partitions_name("studio") == "productions_studio" != partitions_name("main")


def test_names_that_are_taken_or_wrong_are_refused_and_leave_nothing(project: Project) -> None:
    project.sparkle("workspace", "add", "studio")
    before = (project.root / "workspace.yaml").read_text()
    for name in ("studio", "main", "../x", "A"):
        assert project.command("workspace", "add", name, "--json").returncode == 1
    wrong = project.command("workspace", "add", "other", "--max-bytes", "plenty", "--json")
    assert wrong.returncode == 1
    assert "expected a size such as" in wrong.stdout
    assert not (project.root / "configs/workspaces/other.yaml").exists()
    assert (project.root / "workspace.yaml").read_text() == before


@pytest.mark.requirement("S61")
def test_a_workspace_uses_only_what_it_may(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sparkle("workspace", "add", "a", "--provider", "media/pyav", "--provider", "script/audio_features")
    project.sparkle("workspace", "add", "b", "--licence", "MIT")
    a, b = (workspace_of(project, name, monkeypatch).registry for name in ("a", "b"))
    usable = {
        capability: [item.name for item in a.candidates(capability) if item.unavailable is None]
        for capability in a.capabilities
    }
    assert usable == {"script": ["audio_features"], "lipsync": [], "video": [], "qa": [], "media": ["pyav"]}
    assert "settings.allowed_providers" in str(a.candidates("video")[0].unavailable)
    assert a.candidates("video", enabled=False)[0].unavailable is None
    assert b.settings.allowed_licences == ("MIT",)


def test_an_upload_above_the_quota_is_refused_in_words(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sparkle("workspace", "add", "small", "--max-bytes", "100KiB")
    workspace = workspace_of(project, "small", monkeypatch)
    path = workspace.inbox / "voice.wav"
    path.write_bytes((project.root / "samples/voice_short.wav").read_bytes())
    assert path.stat().st_size > 100 * 1024
    with pytest.raises(UploadRejected, match=r"expected at most 102400 bytes in this workspace .*it holds 0"):
        admit(Admission("voice-0123456789abcdef", {"audio": path}, "run", "1"), workspace)


def test_productions_above_the_quota_wait(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sparkle("workspace", "add", "small", "--in-flight", "2")
    workspace = workspace_of(project, "small", monkeypatch)

    @dg.job
    def nothing() -> None:
        """Does nothing."""

    @dg.job(name=SHADOW_JOB)
    def shadow() -> None:
        """Does not count."""

    with dg.instance_for_test() as instance:
        assert sensor._left_of_quota(instance, workspace) == 2
        for name, production in (("small", "a-1"), ("small", "a-1"), ("main", "b-1")):
            tags = {WORKSPACE_TAG: name, PRODUCTION_TAG: production}
            instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.STARTED)
        tags = {WORKSPACE_TAG: "small", PRODUCTION_TAG: "c-1"}
        instance.create_run_for_job(shadow, tags=tags, status=dg.DagsterRunStatus.STARTED)
        assert sensor._left_of_quota(instance, workspace) == 1
        assert sensor._left_of_quota(instance, workspace_of(project, "main", monkeypatch)) is None


def test_an_unknown_rule_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sparkle("workspace", "add", "small")
    project.edit("configs/workspaces/small.yaml", "quota: {}", "quota: {max_byte: 1GiB}")
    with pytest.raises(ConfigError, match="did you mean max_bytes"):
        workspace_of(project, "small", monkeypatch)
