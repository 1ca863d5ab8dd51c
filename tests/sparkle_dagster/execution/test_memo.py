"""What did not change is not made again, over the whole history; what decides a result is a miss."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from contracts.events import NodeRecord, NodeStatus
from tests.cheap import make_cheap_project
from tests.sparkle_dagster.execution.making import NODES, Maker

REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    project = make_cheap_project(tmp_path_factory.mktemp("memo") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(project.root)
        patch.delenv("SPARKLE_HOME", raising=False)
        yield Maker(project)


@pytest.fixture(scope="module")
def production(maker: Maker) -> str:
    key = maker.take_in(options="title: One")
    assert {record.status for record in maker.make(key).values()} == {NodeStatus.SUCCEEDED}
    return key


@pytest.mark.requirement("X2", "U6")
def test_unchanged_production_is_found_whole_and_says_where(maker: Maker, production: str) -> None:
    before = {asset: maker.project.result(asset, production) for asset in ("script", "aligned_video", "qa_report")}
    records = maker.make(production)
    assert {record.status for record in records.values()} == {NodeStatus.CACHED}
    assert records["lipsync"].cached_from == f"aligned_video/{production}@1"
    assert f"stored as aligned_video/{production}@1" in records["lipsync"].reason
    assert records["lipsync"].attempts == ()
    assert before == {asset: maker.project.result(asset, production) for asset in before}
    assert (maker.events[-1].status, maker.events[-1].reason) == (NodeStatus.RUNNING, ""), (
        "the terminal one is sent later"
    )


@pytest.mark.requirement("X2")
def test_result_of_another_production_is_found_where_nothing_of_it_was_seen(
    maker: Maker, production: str, tmp_path: Path
) -> None:
    """Another face: the script is the same, the video carries its production's key."""
    face = tmp_path / "face.png"
    Image.new("RGB", (32, 32)).save(face)
    other = maker.take_in(face=face, options="title: One")
    assert other != production
    records = maker.make(other, ["script", "lipsync", "video"])
    assert [record.status.value for record in records.values()] == ["cached", "succeeded", "succeeded"]
    assert records["script"].cached_from == f"script/{production}@1"


def test_video_of_another_production_is_never_used(maker: Maker, production: str) -> None:
    """The same lip-sync result and title, another production: its key stands inside the video."""
    with maker.changed("cheap.py", "request.video_stub.digest, request.script.text", '"same"'):
        other = maker.take_in(7, options="title: One")
        maker.make(production)
        records = maker.make(other)
    first, second = (maker.project.result("aligned_video", key) for key in (production, other))
    assert first["aligned_video"] == second["aligned_video"]
    assert records["video"].status is NodeStatus.SUCCEEDED


def test_force_makes_it_anew(maker: Maker, production: str) -> None:
    assert maker.make(production, ["script"], force=True)["script"].status is NodeStatus.SUCCEEDED


def test_node_that_is_not_to_be_cached_never_is(maker: Maker, production: str) -> None:
    with maker.changed(WORKFLOW, "    outputs: [script]  ", "    cache: false\n    outputs: [script]  "):
        assert maker.make(production, ["script"])["script"].status is NodeStatus.SUCCEEDED


CHANGES = {
    "option": (REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 2}"),
    "provider": (REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [othermouth]}"),
    "version": ("cheap.py", "class Mouth(LipSyncTask):", 'class Mouth(LipSyncTask):\n    version = "2"\n'),
    "definition": (WORKFLOW, "no_face_policy: pass_through", "no_face_policy: hold_last"),
    "delivery": (REGISTRY, "web: {codec: libx264, preset: veryfast, crf: 20", "web: {codec: libx264, crf: 21"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_the_result_is_a_miss_and_back_again_a_hit(maker: Maker, production: str, change: str) -> None:
    with maker.changed(*CHANGES[change]):
        assert maker.make(production, ["lipsync"])["lipsync"].status is NodeStatus.SUCCEEDED
    assert maker.make(production, ["lipsync"])["lipsync"].status is NodeStatus.CACHED, "the older result is found again"


def test_weights_count_by_their_bytes(maker: Maker, production: str) -> None:
    weights = maker.project.root / "net.bin"
    records: list[NodeRecord] = []
    with (
        maker.changed(REGISTRY, "\nmodels:", "\nmodels:\n  net: {path: net.bin, licence: mine}"),
        maker.changed(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [weighted]}"),
    ):
        for content in (b"first", b"other, and longer", b"first"):
            weights.write_bytes(content)
            records.append(maker.make(production, ["lipsync"])["lipsync"])
    assert [record.status.value for record in records] == ["succeeded", "succeeded", "cached"]
    assert records[0].weights == records[2].weights != records[1].weights


def test_input_bytes_are_a_miss_and_a_field_that_nobody_binds_is_not(maker: Maker, production: str) -> None:
    assert maker.make(maker.take_in(98), ["script"])["script"].status is NodeStatus.SUCCEEDED
    upload = maker.workspace.read_document("upload", production)
    upload["result"]["title"] = "Another title"
    maker.workspace.store.commit(f"upload/{production}", upload, attempt_id="title")
    records = maker.make(production)
    assert [record.status.value for record in records.values()] == ["cached", "cached", "succeeded", "succeeded"]


def test_what_a_provider_is_not_shown_does_not_decide(maker: Maker, production: str) -> None:
    maker.make(production)
    with maker.changed("configs/qa/web.yaml", "fail_above: 200}", "fail_above: 201}"):
        records = maker.make(production)
    assert [record.status.value for record in records.values()] == ["cached", "cached", "cached", "succeeded"]


def test_provider_that_is_not_deterministic_serves_its_production_alone(maker: Maker, production: str) -> None:
    grey = maker.project.root / "grey.png"
    Image.new("RGB", (16, 16)).save(grey)
    other = maker.take_in(face=grey)
    unsure = ("class Script(ScriptGenerationTask):", "class Script(ScriptGenerationTask):\n    deterministic = False\n")
    with maker.changed("cheap.py", *unsure):
        made = [maker.make(key, ["script"])["script"].status.value for key in (production, production, other)]
    assert made == ["succeeded", "cached", "succeeded"]


def test_two_equal_runs_at_once_are_both_whole(maker: Maker, production: str) -> None:
    workspaces = [maker.workspace, maker.workspace]
    threads = [
        threading.Thread(target=maker.make_in, args=(workspace, production), kwargs={"force": True})
        for workspace in workspaces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = maker.make(production)
    assert {record.status for record in records.values()} == {NodeStatus.CACHED}
    assert len({record.cached_from for record in records.values()}) == len(NODES)


@pytest.mark.parametrize("lost", ["pointer", "manifest", "artifact"])
def test_what_is_damaged_or_gone_is_a_miss(maker: Maker, production: str, lost: str) -> None:
    home = maker.project.home / "store/ws/main"
    maker.make(production)
    record = maker.make(production, ["lipsync"])["lipsync"]
    if lost == "pointer":
        path = home / "names/memo/lipsync" / record.memo_key / "@ref"
        path.chmod(0o644)
        path.write_text("torn")
    elif lost == "manifest":
        for path in (home / "refs/aligned_video" / production).glob("@*"):
            path.chmod(0o644)
            path.write_text("torn")
    else:
        ref = maker.project.result("aligned_video", production)["aligned_video"]
        (home / ref["path"]).unlink()
    assert maker.make(production, ["lipsync"])["lipsync"].status is NodeStatus.SUCCEEDED
    assert maker.make(production, ["lipsync"])["lipsync"].status is NodeStatus.CACHED
