"""The bucket store: the shared cases, before an emulator that enforces preconditions."""

import io
import pickle
import uuid
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ArtifactClient
from contracts.errors import ArtifactCorrupt
from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.gcs.rig import Rig
from tests.sparkle_dagster.artifacts.cases import (
    BODY,
    KEY,
    ArtifactClientCases,
    ArtifactStoreCases,
    Damage,
    flipped,
    read_all,
)


@pytest.fixture
def store(bucket_store: GcsArtifactStore) -> GcsArtifactStore:
    return bucket_store


@pytest.fixture
def twin(service: Rig, tmp_path: Path) -> GcsArtifactStore:
    return service.store(f"b/{uuid.uuid4().hex}", tmp_path / "elsewhere" / "twin")


@pytest.fixture
def damage(service: Rig, store: GcsArtifactStore) -> Damage:
    def damage_stored(ref: ArtifactRef, data: bytes | None) -> None:
        service.damage(store, ref, data)

    return damage_stored


@pytest.mark.requirement("S35", "S36", "S37")
class TestGcsArtifactStore(ArtifactStoreCases):
    """The store."""


@pytest.mark.requirement("S27", "S35")
class TestScopedClient(ArtifactClientCases):
    """The store as the platform hands it on."""

    @pytest.fixture
    def client(self, store: GcsArtifactStore, tmp_path: Path) -> ArtifactClient:
        (tmp_path / "scratch").mkdir()
        return store.scoped([], scratch_dir=tmp_path / "scratch")


def elsewhere(store: GcsArtifactStore, tmp_path: Path) -> GcsArtifactStore:
    """The same store on a machine that has no copies."""
    return GcsArtifactStore(store.place, tmp_path / uuid.uuid4().hex)


def test_another_machine_reads_what_was_committed(store: GcsArtifactStore, tmp_path: Path) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    written = store.commit(KEY, {"ref": ref.model_dump()}, attempt_id="a")
    store.name("faces/x", ref)
    other = elsewhere(store, tmp_path)
    assert other.read(KEY) == written
    assert read_all(other, ref) == BODY
    assert other.named("faces/x") == ref


def test_wrong_bytes_on_another_machine_go_to_quarantine(
    store: GcsArtifactStore, service: Rig, damage: Damage, tmp_path: Path
) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    damage(ref, flipped(BODY))
    other = elsewhere(store, tmp_path)
    with pytest.raises(ArtifactCorrupt, match="moved to quarantine/"):
        other.open(ref)
    (kept,) = [name for name in service.objects(store.place.prefix) if "/quarantine/" in name]
    assert service.content(store.place.prefix, kept) == flipped(BODY)
    assert not other.exists(ref)
    assert store.put(io.BytesIO(BODY), "video/mp4") == ref
    assert read_all(other, ref) == BODY


def test_large_files_go_in_pieces_and_come_back(store: GcsArtifactStore, service: Rig, tmp_path: Path) -> None:
    body = BODY * 9  # 21 MB
    before = service.proxy.requests.get("piece", 0)
    ref = store.put(io.BytesIO(body), "video/mp4")
    assert service.proxy.requests["piece"] - before == 3
    assert read_all(elsewhere(store, tmp_path), ref) == body
    store.verify(ref)


def test_what_a_providers_process_left_is_adopted(store: GcsArtifactStore, tmp_path: Path) -> None:
    """It sees this machine's copies alone."""
    given = store.put(io.BytesIO(b"given"), "text/plain")
    here = elsewhere(store, tmp_path)
    here.stage([given])
    inside = LocalArtifactStore(here.local_root, here.workspace)
    assert read_all(inside, given) == b"given"
    made = inside.put(io.BytesIO(b"made"), "text/plain")
    assert not store.exists(made)
    here.adopt([made.digest, given.digest])
    assert read_all(elsewhere(store, tmp_path), made) == b"made"


def test_what_was_derived_on_one_machine_is_found_on_another(store: GcsArtifactStore, tmp_path: Path) -> None:
    """Of an attempt's inputs; its providers' processes see copies alone."""
    video = store.put(io.BytesIO(b"video"), "video/mp4")
    key, other_key = f"{video.digest}/face-track/1", "face-track/1"
    here, there = elsewhere(store, tmp_path), elsewhere(store, tmp_path)
    inside = LocalArtifactStore(here.local_root, here.workspace)
    here.stage([video])
    track = inside.put(io.BytesIO(b"a track"), "application/json")
    for name in (key, other_key):
        inside.name(name, track)
    here.adopt([], [video])
    assert store.derived_from(video.digest) == {key: track}
    there.stage([video])
    inside_there = LocalArtifactStore(there.local_root, there.workspace)
    assert (inside_there.named(key), inside_there.named(other_key)) == (track, None)
    assert read_all(inside_there, track) == b"a track"


def test_what_was_derived_and_is_damaged_is_derived_again(
    store: GcsArtifactStore, damage: Damage, tmp_path: Path
) -> None:
    video, track = (store.put(io.BytesIO(text), "text/plain") for text in (b"video", b"a track"))
    store.name(f"{video.digest}/face-track/1", track)
    damage(track, b"A track")
    here = elsewhere(store, tmp_path)
    here.stage([video])
    assert LocalArtifactStore(here.local_root, here.workspace).derived_from(video.digest) == {}


@pytest.mark.requirement("S61")
def test_workspaces_share_nothing(service: Rig, tmp_path: Path) -> None:
    prefix = uuid.uuid4().hex
    one, other = (service.store(prefix, tmp_path, name) for name in ("one", "other"))
    ref = one.put(io.BytesIO(b"1"), "text/plain")
    one.commit(KEY, {}, attempt_id="a")
    assert not other.exists(ref)
    assert other.keys() == ()


def test_a_store_travels_to_another_process(store: GcsArtifactStore) -> None:
    ref = store.put(io.BytesIO(b"1"), "text/plain")
    again = pickle.loads(pickle.dumps(store))
    assert read_all(again, ref) == b"1"
