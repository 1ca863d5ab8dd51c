"""What did not change is not made again, over the whole history; what changed is, and the reason is what changed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import Project

REGISTRY = "configs/tool_registry.yaml"


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_cheap_project(tmp_path_factory.mktemp("memo") / "project")


@pytest.fixture(scope="module")
def production(cheap: Project) -> str:
    answer = cheap.sparkle("run", second_of_sound(cheap.root / "voice.wav"), "--title", "One")
    key: str = answer["production"]
    return key


def statuses(project: Project, production: str) -> dict[str, str]:
    return {node["node_id"]: node["status"] for node in project.sparkle("show", production)["nodes"]}


def record(project: Project, asset: str, production: str) -> dict[str, Any]:
    found: dict[str, Any] = project.store.read(f"{asset}/{production}").document["record"]
    return found


@pytest.mark.requirement("X2", "U6")
def test_unchanged_production_is_found_whole_and_says_where(cheap: Project, production: str) -> None:
    before = {asset: cheap.result(asset, production) for asset in ("script", "aligned_video", "assembled_video")}
    cheap.sparkle("rerun", production, "--from", "script")
    found = statuses(cheap, production)
    assert [found[node] for node in ("script", "lipsync", "video", "qa")] == ["cached"] * 4
    assert record(cheap, "aligned_video", production)["cached_from"] == f"aligned_video/{production}@1"
    assert record(cheap, "aligned_video", production)["attempts"] == []
    assert before == {asset: cheap.result(asset, production) for asset in before}
    assert f"stored as aligned_video/{production}@1" in cheap.command("status", production).stdout


@pytest.mark.requirement("X2")
def test_result_of_another_production_is_found_where_nothing_of_it_was_seen(cheap: Project, production: str) -> None:
    """Another face: the script is the same, and the video, which names its production, is not."""
    face = cheap.root / "samples/other.png"
    subprocess.run(
        [sys.executable, "-c", f"from PIL import Image; Image.new('RGB', (32, 32)).save({str(face)!r})"], check=True
    )
    answer = cheap.sparkle("run", cheap.root / "voice.wav", "--face", face, "--title", "One")
    assert answer["production"] != production
    found = statuses(cheap, answer["production"])
    assert [found[node] for node in ("script", "lipsync", "video")] == ["cached", "succeeded", "succeeded"]
    assert record(cheap, "script", answer["production"])["cached_from"].startswith(f"script/{production}@")


def test_force_makes_it_anew(cheap: Project, production: str) -> None:
    cheap.sparkle("rerun", production, "--only", "script", "--force")
    assert statuses(cheap, production)["script"] == "succeeded"


def test_node_that_is_not_to_be_cached_never_is(cheap: Project, production: str) -> None:
    cheap.edit("configs/pipeline/workflow.yaml", "    outputs: [script]  ", "    cache: false\n    outputs: [script]  ")
    cheap.sparkle("rerun", production, "--only", "script")
    assert statuses(cheap, production)["script"] == "succeeded"
    cheap.edit("configs/pipeline/workflow.yaml", "    cache: false\n", "")


CHANGES = {
    "option": (REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 2}"),
    "provider": (REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [othermouth]}"),
    "version": ("cheap.py", "class Mouth(LipSyncTask):", 'class Mouth(LipSyncTask):\n    version = "2"\n'),
    "definition": ("configs/pipeline/workflow.yaml", "no_face_policy: pass_through", "no_face_policy: hold_last"),
    "delivery": (REGISTRY, "  web: {codec: libx264, preset: veryfast, crf: 20", "  web: {codec: libx264, crf: 21"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_the_result_is_a_miss_and_back_again_a_hit(cheap: Project, production: str, change: str) -> None:
    file, old, new = CHANGES[change]
    cheap.edit(file, old, new)
    cheap.sparkle("rerun", production, "--only", "lipsync")
    assert statuses(cheap, production)["lipsync"] == "succeeded"
    cheap.edit(file, new, old)
    cheap.sparkle("rerun", production, "--only", "lipsync")
    assert statuses(cheap, production)["lipsync"] == "cached", "the older result is found again"


def test_what_a_provider_is_not_shown_does_not_decide(cheap: Project, production: str) -> None:
    limits = cheap.root / "configs/qa/web.yaml"
    text = limits.read_text()
    limits.write_text(text.replace("fail_above", "warn_above", 1))
    cheap.sparkle("rerun", production, "--from", "lipsync")
    found = statuses(cheap, production)
    limits.write_text(text)
    assert [found[node] for node in ("lipsync", "video", "qa")] == ["cached", "cached", "succeeded"]


def test_two_equal_productions_at_once_are_both_whole(cheap: Project, production: str) -> None:
    command = [sys.executable, "-m", "sparkle_dagster.cli", "rerun", production, "--from", "lipsync", "--force"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    runs = [subprocess.Popen(command, cwd=cheap.root, env=cheap.environment, **quiet) for _ in range(2)]
    assert [run.wait(timeout=280) for run in runs] == [0, 0]
    newest = cheap.store.read(f"aligned_video/{production}")
    assert newest.document["record"]["status"] == "succeeded"
    cheap.sparkle("rerun", production, "--from", "lipsync")
    assert statuses(cheap, production)["qa"] == "cached"
    assert cheap.sparkle("fsck")["findings"] == []


def test_damaged_pointer_manifest_or_artifact_is_a_miss(cheap: Project, production: str) -> None:
    names = cheap.home / "store/ws/main/names/memo/script"
    for pointer in names.glob("*/@ref"):
        Path(pointer).chmod(0o644)
        Path(pointer).write_text("torn")
    cheap.sparkle("rerun", production, "--only", "script")
    assert statuses(cheap, production)["script"] == "succeeded"
    cheap.sparkle("rerun", production, "--only", "script")
    assert statuses(cheap, production)["script"] == "cached"
