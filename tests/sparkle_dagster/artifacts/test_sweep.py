"""A sweep takes what nothing refers to, and nothing else: on a disk, in a bucket, and beside writers."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactCorrupt, ArtifactMissing
from contracts.tool_registry import RetentionSettings
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.retention import Inventory, Policy, Removal, removals
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.artifacts.sweep import Swept, sweep
from tests.gcs.rig import Rig
from tests.sparkle_dagster.artifacts.cases import KEY, document_of
from tests.sparkle_dagster.artifacts.gc_race import race

Sweep = Callable[..., Swept]


def put(store: ArtifactStore, text: str) -> ArtifactRef:
    return store.put(io.BytesIO(text.encode()), "text/plain")


def swept(
    store: ArtifactStore,
    rules: RetentionSettings | None = None,
    *,
    choose: Callable[[Inventory], list[Removal]] | None = None,
    names_unused_since: float = 0.0,
    dry_run: bool = False,
) -> Swept:
    """A sweep that grants no grace."""
    policy = Policy(rules or RetentionSettings(), time.time())
    return sweep(
        store,
        choose or (lambda inventory: removals(inventory, policy)),
        lambda removal: {"at": "2026-11-25", "why": removal.why, "how": "run it again"},
        unused_since=time.time() + 60,
        names_unused_since=names_unused_since,
        dry_run=dry_run,
    )


class SweepCases:
    """What a sweep of any store promises."""

    def test_only_what_nothing_refers_to_goes(self, store: ArtifactStore) -> None:
        kept, named, dead = put(store, "kept"), put(store, "named"), put(store, "dead")
        store.commit(KEY, document_of(kept), attempt_id="a")
        store.name("faces/x", named)
        would = swept(store, dry_run=True)
        assert [use.digest for use in would.blobs] == [dead.digest]
        assert store.exists(dead)
        assert [use.digest for use in swept(store).blobs] == [dead.digest]
        assert [store.exists(ref) for ref in (kept, named, dead)] == [True, True, False]
        assert swept(store).blobs == []

    def test_what_is_older_than_the_newest_goes_and_says_why(self, store: ArtifactStore) -> None:
        refs = [put(store, str(number)) for number in range(3)]
        for number, ref in enumerate(refs):
            store.commit(KEY, document_of(ref), attempt_id=str(number))
        done = swept(store, RetentionSettings(generations=1))
        assert [(removal.key, removal.last) for removal in done.removals] == [(KEY, 2)]
        assert [store.exists(ref) for ref in refs] == [False, False, True]
        assert store.generations(KEY) == (3,)
        with pytest.raises(ArtifactMissing, match="generations keeps the newest 1; run it again"):
            store.read(KEY, 1)
        assert store.commit(KEY, {}, attempt_id="d").generation == 4

    def test_a_key_that_went_whole_goes_on_counting(self, store: ArtifactStore) -> None:
        store.commit(KEY, document_of(put(store, "1")), attempt_id="a")
        store.commit("hold/other", {}, attempt_id="a")
        swept(store, choose=lambda _: [Removal(KEY, 1, True, "too old")])
        assert store.keys() == ("hold/other",)
        with pytest.raises(ArtifactMissing, match="too old; run it again"):
            store.read(KEY)
        assert store.commit(KEY, {"n": 2}, attempt_id="b").generation == 2
        assert store.read(KEY).document == {"n": 2}
        swept(store, choose=lambda _: [Removal(KEY, 2, True, "too old again")])
        with pytest.raises(ArtifactMissing, match="too old again"):
            store.read(KEY)

    def test_a_store_that_was_swept_is_sound(self, store: ArtifactStore) -> None:
        for number in range(3):
            store.commit(KEY, document_of(put(store, str(number))), attempt_id=str(number))
        swept(store, RetentionSettings(generations=1))
        report = store.check(repair=False, sources=(), progress=lambda done, total, note="": None)
        assert (report.is_sound, report.findings) == (True, ())

    def test_what_is_committed_while_it_looks_stays(self, store: ArtifactStore) -> None:
        """The commit falls between the mark and the removal."""
        ref = put(store, "late")

        def commit(_: Inventory) -> list[Removal]:
            store.commit(KEY, document_of(ref), attempt_id="a")
            return []

        done = swept(store, choose=commit)
        assert (done.blobs, done.spared) == ([], 1)
        store.verify(ref)

    def test_what_is_put_again_while_it_looks_stays(self, store: ArtifactStore) -> None:
        ref = put(store, "again")

        def again(_: Inventory) -> list[Removal]:
            put(store, "again")
            return []

        assert swept(store, choose=again).spared == 1
        store.verify(ref)

    def test_names_go_by_age_and_what_they_alone_kept_with_them(self, store: ArtifactStore) -> None:
        ref = put(store, "face track")
        store.name("faces/x", ref)
        assert swept(store, names_unused_since=time.time() - 60).names == []
        done = swept(store, names_unused_since=time.time() + 60)
        assert [name.key for name in done.names] == ["faces/x"]
        assert store.named("faces/x") is None
        assert not store.exists(ref)

    def test_a_manifest_that_cannot_be_read_stops_it(self, store: ArtifactStore, spoil: Callable[[str], None]) -> None:
        ref, dead = put(store, "1"), put(store, "dead")
        store.commit(KEY, document_of(ref), attempt_id="a")
        spoil(f"refs/{KEY}/@1")
        with pytest.raises(ArtifactCorrupt, match="nothing was removed"):
            swept(store)
        assert store.exists(ref)
        assert store.exists(dead)


@pytest.mark.requirement("S38")
class TestLocal(SweepCases):
    @pytest.fixture
    def spoil(self, store: LocalArtifactStore) -> Callable[[str], None]:
        def spoil_file(place: str) -> None:
            path = store.layout.home / place
            path.chmod(0o644)
            path.write_bytes(b"{}")

        return spoil_file


@pytest.mark.requirement("S38")
class TestBucket(SweepCases):
    @pytest.fixture
    def store(self, bucket_store: GcsArtifactStore) -> GcsArtifactStore:
        return bucket_store

    @pytest.fixture
    def spoil(self, bucket_store: GcsArtifactStore, service: Rig) -> Callable[[str], None]:
        return lambda place: service.write(bucket_store.place.prefix, f"ws/main/{place}", b"{}")


def test_without_preconditions_a_bucket_would_lose_what_is_in_use(
    bucket_store: GcsArtifactStore, service: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of the cases above: the emulator by itself deletes whatever it is told to."""
    monkeypatch.setattr(service.proxy, "enforces", False)
    ref = put(bucket_store, "late")

    def commit(_: Inventory) -> list[Removal]:
        bucket_store.commit(KEY, document_of(ref), attempt_id="a")
        return []

    swept(bucket_store, choose=commit)
    assert not bucket_store.exists(ref)


def test_a_commit_that_does_not_touch_would_lose_what_it_names(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlobArea, "use", BlobArea.has)
    ref = put(store, "late")

    def commit(_: Inventory) -> list[Removal]:
        store.commit(KEY, document_of(ref), attempt_id="a")
        return []

    swept(store, choose=commit)
    assert not store.exists(ref)


@pytest.mark.requirement("S38")
def test_eight_writers_lose_nothing_to_a_sweep_without_grace(tmp_path: Path) -> None:
    result = race(tmp_path, commits_each=25)
    assert result["commits"] >= 200
    assert result["lost"] == []
    assert result["swept"] > 0


def test_without_its_lock_the_sweep_eats_what_is_alive(tmp_path: Path) -> None:
    """The race above can fail."""
    lost: list[Any] = []
    for attempt in range(10):
        lost += race(tmp_path / str(attempt), commits_each=25, with_lock=False)["lost"]
        if lost:
            return
    pytest.fail("expected that a sweep without its lock loses something, it lost nothing in 10 races")
