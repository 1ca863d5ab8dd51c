"""A workspace moves between a disk and a bucket, both ways, whole, also when it is interrupted."""

import io
import json
from pathlib import Path

import pytest

from contracts.errors import ArtifactConflict, ArtifactError
from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.artifacts.transfer import copy_store, differences
from tests.gcs.fixtures import all_day_service, service
from tests.gcs.rig import EMULATED, Rig
from tests.project import make_project
from tests.sparkle_dagster.artifacts.cases import KEY, document_of

__all__ = ["all_day_service", "service"]


def quiet(done: float, total: float, note: str = "") -> None:
    """Progress that nobody watches."""


def fill(store: ArtifactStore) -> None:
    for number in range(1, 6):
        refs = [store.put(io.BytesIO(text.encode()), "text/plain") for text in (str(number), "shared")]
        store.commit(KEY, document_of(*refs), attempt_id=str(number))
        store.commit(f"script/{number}", document_of(refs[0]), attempt_id="a")
    store.bury(KEY, 2, {"at": "then", "why": "too old", "how": "run it again"})


def same(one: ArtifactStore, other: ArtifactStore) -> bool:
    return not list(differences(one, other, quiet, with_bytes=True))


@pytest.mark.requirement("S35")
def test_there_and_back_nothing_is_lost(
    store: LocalArtifactStore, bucket_store: GcsArtifactStore, tmp_path: Path
) -> None:
    fill(store)
    first = copy_store(store, bucket_store, quiet)
    assert (first.manifest_count, first.blob_count, first.present_count) == (9, 6, 0)
    back = LocalArtifactStore(tmp_path / "back")
    copy_store(bucket_store, back, quiet)
    assert same(store, bucket_store)
    assert same(store, back)
    assert back.read(KEY) == store.read(KEY)
    assert back.commit(KEY, {}, attempt_id="next").generation == 6
    report = back.check(repair=False, sources=(), progress=quiet)
    assert report.findings == ()


def test_an_interrupted_copy_goes_on_where_it_was(
    store: LocalArtifactStore, bucket_store: GcsArtifactStore, service: Rig
) -> None:
    fill(store)
    hasty = GcsArtifactStore(service.place(bucket_store.place.prefix, deadline_seconds=0.2), bucket_store.mirror.root)
    fault = service.proxy.arm("upload", "503", skip=7, times=10_000)
    with pytest.raises(ArtifactError, match="running again is safe"):
        copy_store(store, hasty, quiet)
    assert fault.fired
    service.proxy.calm()
    numbers = bucket_store.generations(KEY)
    assert numbers == tuple(range(3, 3 + len(numbers)))
    done = copy_store(store, bucket_store, quiet)
    assert 0 < done.manifest_count < 9
    assert done.manifest_count + done.present_count == 9
    assert same(store, bucket_store)


def test_another_manifest_is_never_written_over(store: LocalArtifactStore, tmp_path: Path) -> None:
    fill(store)
    other = LocalArtifactStore(tmp_path / "other")
    for number in range(1, 4):
        other.commit(KEY, {"n": number}, attempt_id="x")
    with pytest.raises(ArtifactConflict, match="empty prefix or folder"):
        copy_store(store, other, quiet)
    assert other.read(KEY).document == {"n": 3}


def test_what_differs_is_named(store: LocalArtifactStore, tmp_path: Path) -> None:
    fill(store)
    other = LocalArtifactStore(tmp_path / "other")
    copy_store(store, other, quiet)
    store.commit("script/9", {}, attempt_id="a")
    other.commit("script/8", {}, attempt_id="a")
    digest = other.read(KEY).blobs[0]
    path = other.layout.blob(digest)
    path.chmod(0o644)
    path.write_bytes(b"rotten")
    found = {item.place: item.message for item in differences(store, other, quiet, with_bytes=True)}
    assert found.pop("script/9 @1") == "only in the first store"
    assert found.pop("script/8 @1") == "only in the second store"
    assert "changed" in found.pop(f"sha256:{digest}")
    assert found == {}


def test_the_commands(service: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.endpoint)
    project = make_project(tmp_path / "project")
    fill(project.store)
    there = f"gs:{'/' * 2}{EMULATED}/moved"
    assert project.sparkle("store", "copy", "here", there)["manifest_count"] == 9
    assert project.sparkle("store", "diff", "here", there, "--bytes") == []
    project.store.commit("script/9", {}, attempt_id="a")
    different = project.command("store", "diff", "here", there, "--json")
    assert different.returncode == 1
    assert json.loads(different.stdout)[0]["place"] == "script/9 @1"
