"""`sparkle fsck` in a project: exit codes, what it prints, which commands make lost things again."""

import io
import json
from pathlib import Path

import pytest

from sparkle_dagster.artifacts.findings import Finding, Problem
from sparkle_dagster.cli.store import commands_for
from sparkle_dagster.workspace import load_workspace
from tests.project import Project, make_project

PRODUCTION = "a-0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def lost_bytes(*keys: str) -> Finding:
    return Finding(problem=Problem.BLOB_MISSING, place="cas", message="gone", remedy="", keys=keys)


def test_lost_keys_are_made_again_from_the_first_node_that_lost_something(project: Project) -> None:
    workspace = load_workspace(project.root)
    assets = [*workspace.result_types, "report"]
    nodes = [node.id for node in workspace.workflow.nodes]
    assert commands_for(workspace, []) == []
    for lost in range(1, len(assets) - 1):
        keys = [f"{asset}/{PRODUCTION}" for asset in reversed(assets[lost:])]
        assert commands_for(workspace, [lost_bytes(*keys)]) == [f"sparkle rerun {PRODUCTION} --from {nodes[lost - 1]}"]
    both = lost_bytes(f"report/{PRODUCTION}", f"{assets[1]}/b-0123456789abcdef")
    assert commands_for(workspace, [both]) == [
        f"sparkle rerun {PRODUCTION} --from report",
        f"sparkle rerun b-0123456789abcdef --from {nodes[0]}",
    ]


def test_a_lost_upload_needs_its_files(project: Project) -> None:
    workspace = load_workspace(project.root)
    of_bytes = lost_bytes(f"upload/{PRODUCTION}")
    of_manifest = of_bytes.model_copy(update={"problem": Problem.MANIFEST_LOST})
    assert "sparkle run AUDIO" in commands_for(workspace, [of_manifest])[0]
    for findings in ([of_bytes], [of_bytes, of_manifest]):
        assert ("--from FOLDER" in commands_for(workspace, findings)[0]) == (of_manifest not in findings)


def test_the_command_heals_from_kept_uploads_and_says_what_is_left(project: Project) -> None:
    store = project.store
    asset, node = next((node.asset_key, node.id) for node in load_workspace(project.root).workflow.nodes)
    voice = store.put(project.root / "samples/voice_short.wav", "audio/wav")
    made = store.put(io.BytesIO(b"made of it"), "text/plain")
    store.commit(f"upload/{PRODUCTION}", {"audio": voice.model_dump(mode="json")}, attempt_id="1")
    store.commit(f"{asset}/{PRODUCTION}", {"text": made.model_dump(mode="json")}, attempt_id="1")
    for ref in (voice, made):
        path = store.root / "ws/main" / ref.path
        path.chmod(0o644)
        path.write_bytes(b"rotten")
    kept = load_workspace(project.root).inbox / "admitted" / PRODUCTION
    kept.mkdir(parents=True)
    (kept / "voice.wav").write_bytes((project.root / "samples/voice_short.wav").read_bytes())

    found = project.command("fsck")
    assert (found.returncode, found.stdout.count("blob_corrupt")) == (1, 2), found.stdout + found.stderr
    assert "next  sparkle fsck --repair" in found.stdout
    repaired = project.command("fsck", "--repair", "--json")
    assert repaired.returncode == 1
    report = json.loads(repaired.stdout)
    assert report["commands"] == [f"sparkle rerun {PRODUCTION} --from {node}"]
    store.verify(voice)
    (project.root / "originals").mkdir()
    (project.root / "originals/text").write_bytes(b"made of it")
    assert project.sparkle("fsck", "--repair", "--from", "originals")["sound"]
    store.verify(made)
    assert project.sparkle("fsck")["findings"] == []
