"""A whole production with its artifacts in a bucket, by the same commands; its providers never reach the bucket."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from tests.gcs.fixtures import all_day_service, service
from tests.gcs.rig import EMULATED, Rig
from tests.pipeline.conftest import Made
from tests.project import Project, make_project

__all__ = ["all_day_service", "service"]

PREFIX = "studio"


@dataclass(frozen=True)
class InBucket:
    project: Project
    key: str
    service: Rig

    @property
    def store(self) -> GcsArtifactStore:
        return self.service.store(PREFIX, self.project.root / "another machine")

    def lose_the_copies(self) -> None:
        shutil.rmtree(self.project.home / "store")


@pytest.fixture(scope="module")
def in_bucket(all_day_service: Rig, tmp_path_factory: pytest.TempPathFactory) -> InBucket:
    project = make_project(tmp_path_factory.mktemp("bucket") / "project")
    project.edit(
        "configs/tool_registry.yaml",
        'store: {kind: local, root: "${SPARKLE_HOME}/store"}',
        f'store: {{kind: gcs, bucket: {EMULATED}, prefix: {PREFIX}, root: "${{SPARKLE_HOME}}/store"}}',
    )
    samples = project.root / "samples"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", all_day_service.endpoint)
        answer = project.sparkle(
            "run", samples / "voice_short.wav", "--transcript", samples / "voice_short.txt", "--profile", "draft"
        )
    assert answer["success"], answer
    return InBucket(project, answer["production"], all_day_service)


@pytest.fixture(autouse=True)
def endpoint(all_day_service: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", all_day_service.endpoint)


@pytest.mark.requirement("S35", "S37")
def test_a_bucket_and_a_disk_get_the_same_artifacts(in_bucket: InBucket, made: Made) -> None:
    assert in_bucket.key == made.key
    for asset in ("script", "aligned_video", "assembled_video"):
        there = in_bucket.store.read(f"{asset}/{in_bucket.key}").document["result"]
        here = made.project.result(asset, made.key)
        for name, value in here.items():
            if isinstance(value, dict) and "checksum" in value:
                assert there[name]["checksum"] == value["checksum"], f"{asset}.{name}"


def test_nothing_of_the_production_lies_on_this_machine_alone(in_bucket: InBucket) -> None:
    """No manifest does, and every byte that one names is in the bucket."""
    copies = in_bucket.project.home / "store"
    assert [path for path in copies.rglob("*") if path.is_file()]
    assert not [path for path in copies.rglob("@*") if "refs" in path.parts]
    store = in_bucket.store
    for key in store.keys(""):
        for digest in store.read(key).blobs:
            ref = ArtifactRef.parse(
                {"path": f"cas/sha256/{digest[:2]}/{digest}", "checksum": f"sha256:{digest}", "size_bytes": 0}
                | {"media_type": "application/octet-stream"}
            )
            assert store.exists(ref), f"{key} names {digest}"


@pytest.mark.requirement("S62", "X2")
def test_a_machine_that_has_no_copies_remembers_every_result(in_bucket: InBucket) -> None:
    before = in_bucket.store.read(f"assembled_video/{in_bucket.key}")
    in_bucket.lose_the_copies()
    in_bucket.project.sparkle("rerun", in_bucket.key, "--from", "script")
    nodes = {node["node_id"]: node["status"] for node in in_bucket.project.sparkle("show", in_bucket.key)["nodes"]}
    assert [nodes[node] for node in ("script", "lipsync", "video")] == ["cached"] * 3
    after = in_bucket.store.read(f"assembled_video/{in_bucket.key}")
    assert (after.generation, after.blobs) == (before.generation + 1, before.blobs)
    assert after.document["record"]["cached_from"] == f"assembled_video/{in_bucket.key}@{before.generation}"


@pytest.mark.requirement("S62")
def test_a_part_is_made_again_on_a_machine_that_has_no_copies(in_bucket: InBucket) -> None:
    before = in_bucket.store.read(f"assembled_video/{in_bucket.key}")
    upstream = in_bucket.store.generations(f"aligned_video/{in_bucket.key}")
    in_bucket.lose_the_copies()
    in_bucket.project.sparkle("rerun", in_bucket.key, "--only", "video", "--force")
    after = in_bucket.store.read(f"assembled_video/{in_bucket.key}")
    assert (after.generation, after.blobs) == (before.generation + 1, before.blobs)
    assert (after.document["record"]["status"], len(after.document["record"]["attempts"])) == ("succeeded", 1)
    assert in_bucket.store.generations(f"aligned_video/{in_bucket.key}") == upstream


def test_what_was_made_is_exported_and_checked(in_bucket: InBucket, tmp_path: Path) -> None:
    in_bucket.project.sparkle("export", in_bucket.key, "--to", tmp_path)
    assert any(path.suffix == ".mp4" and path.stat().st_size > 10_000 for path in tmp_path.rglob("*"))
    report = in_bucket.project.sparkle("fsck")
    assert report["sound"], report
    assert report["manifest_count"] >= 6
