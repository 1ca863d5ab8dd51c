"""Damage is found and named, mended where it can be, and what cannot be mended is made again by a rerun."""

import fcntl
import io
import os
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ArtifactMissing
from sparkle_dagster.artifacts import _durable, fsck, scan
from sparkle_dagster.artifacts.findings import StoreReport
from sparkle_dagster.artifacts.fsck import check_store
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.cases import flipped
from tests.sparkle_dagster.artifacts.damages import (
    DAMAGES,
    KEY,
    OTHER,
    VIDEO,
    Damage,
    damage_name,
    dead_copies,
    dead_file,
    empty_manifest,
    flip_blob,
    flip_manifest,
    lose_blob,
    lose_manifest,
    manifest,
    newer_manifest,
    other_size,
    stray_file,
    stray_manifest,
    swap_manifest,
    truncate_blob,
    video,
    work,
)
from tests.sparkle_dagster.artifacts.test_local import home_of


@pytest.fixture
def store(store: LocalArtifactStore) -> LocalArtifactStore:
    """Two generations of one key with the same bytes, one of another key, a name."""
    work(store, "1")
    work(store, "2")
    store.commit(OTHER, {"text": "hello"}, attempt_id="1")
    store.name("faces/x", store.put(io.BytesIO(b"face"), "application/json"))
    return store


def check(store: LocalArtifactStore, **options: Any) -> StoreReport:
    return check_store(store.root, store.workspace, **options)


def _leave_out(*_: Any, **__: Any) -> None:
    """A step that is not done."""


LEFT_OUT: dict[Damage, tuple[Any, str]] = {
    flip_blob: (scan.Scan, "_look_at_blob"),
    truncate_blob: (scan.Scan, "_look_at_blob"),
    lose_blob: (scan.Scan, "_add_lost"),
    flip_manifest: (scan.Scan, "_look_at_manifest"),
    empty_manifest: (scan.Scan, "_look_at_manifest"),
    swap_manifest: (scan.Scan, "_look_at_manifest"),
    lose_manifest: (scan, "sorted"),
    newer_manifest: (scan.Manifest, "parse"),
    other_size: (scan, "sizes_of"),
    damage_name: (scan.Scan, "_look_at_names"),
    stray_file: (scan.Scan, "_stored_paths"),
    stray_manifest: (scan.Scan, "_look_at_keys"),
    dead_file: (scan.Scan, "_look_at_leftovers"),
    dead_copies: (scan.Scan, "_look_at_leftovers"),
}
"""What finds each: without it, nothing is found."""


def tree(store: LocalArtifactStore) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in store.root.rglob("*")}


def test_a_sound_store_is_sound(store: LocalArtifactStore) -> None:
    seen: list[tuple[float, float]] = []
    report = check(store, progress=lambda done, total, note="": seen.append((done, total)))
    assert (report.is_sound, report.findings, report.lost_keys) == (True, (), ())
    assert (report.manifest_count, report.blob_count, report.size_bytes) == (3, 2, len(VIDEO) + 4)
    assert seen[-1] == (len(VIDEO) + 4, len(VIDEO) + 4)
    assert check_store(store.root / "nowhere").is_sound


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_found_and_nothing_is_changed(store: LocalArtifactStore, damage: Damage) -> None:
    damage(store)
    before = tree(store)
    report = check(store)
    problem, is_damage, keys = DAMAGES[damage]
    (finding,) = (found for found in report.findings if found.problem is problem)
    assert (finding.is_damage, finding.keys, report.is_sound) == (is_damage, keys, not is_damage)
    assert finding.message
    assert finding.remedy
    assert tree(store) == before


@pytest.mark.parametrize("damage", LEFT_OUT, ids=lambda damage: damage.__name__)
def test_a_check_left_out_finds_nothing(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    """So the test above fails without it."""
    damage(store)
    place, name = LEFT_OUT[damage]
    nothing = (lambda *_: []) if name in {"sizes_of", "_stored_paths", "sorted"} else _leave_out
    if name == "parse":
        nothing = lambda body: scan.Manifest.model_construct(**body)  # noqa: E731
    monkeypatch.setattr(place, name, nothing, raising=False)
    assert DAMAGES[damage][0] not in {finding.problem for finding in check(store).findings}


MENDED_BY_RERUN = [damage for damage, (_, _, keys) in DAMAGES.items() if keys and damage is not swap_manifest]


@pytest.mark.parametrize("damage", MENDED_BY_RERUN, ids=lambda damage: damage.__name__)
def test_what_a_repair_cannot_heal_a_rerun_makes_again(store: LocalArtifactStore, damage: Damage) -> None:
    damage(store)
    report = check(store, repair=True)
    assert (report.is_sound, report.lost_keys) == (False, (KEY,))
    assert check(store).lost_keys == (KEY,), "it stays known until it is made again"
    work(store, "3")
    assert check(store).is_sound
    assert store.read(KEY).attempt_id == "3"


@pytest.mark.parametrize("damage", [flip_manifest, empty_manifest])
def test_an_older_generation_never_comes_back_silently(store: LocalArtifactStore, damage: Damage) -> None:
    damage(store)
    wrong = manifest(store, KEY, 2).read_bytes()
    check(store, repair=True)
    with pytest.raises(ArtifactMissing, match=r"@2.*quarantine/manifest"):
        store.read(KEY)
    assert store.generations(KEY) == (1, 2)
    assert wrong in {path.read_bytes() for path in (home_of(store) / "quarantine").iterdir()}


def test_a_repair_without_a_marker_is_noticed(store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsck._Repair, "_mark", lambda self, path, why, *, replace: path.unlink())
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_an_older_generation_never_comes_back_silently(store, flip_manifest)


@pytest.mark.parametrize("damage", [lose_manifest, damage_name, dead_file, dead_copies])
def test_a_repair_heals_what_needs_no_rerun(store: LocalArtifactStore, damage: Damage) -> None:
    damage(store)
    report = check(store, repair=True)
    assert report.is_sound
    assert all(finding.repaired for finding in report.findings)
    assert check(store).findings == ()
    assert store.read(KEY).attempt_id == "2"


@pytest.mark.parametrize("damage", [lose_manifest, damage_name, dead_file, dead_copies])
def test_a_repair_that_does_nothing_is_noticed(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    monkeypatch.setattr(fsck._Repair, "_mend", lambda self, finding: finding.mended("said, not done"))
    with pytest.raises(AssertionError):
        test_a_repair_heals_what_needs_no_rerun(store, damage)


@pytest.mark.parametrize("damage", [flip_blob, truncate_blob, lose_blob])
@pytest.mark.parametrize("where", ["a kept upload", "a dead process's copy"])
def test_lost_bytes_are_stored_again_from_a_whole_copy(
    store: LocalArtifactStore, tmp_path: Path, damage: Damage, where: str
) -> None:
    damage(store)
    kept = [tmp_path / "other", tmp_path / "same size", tmp_path / "voice.mp4"]
    for path, data in zip(kept, (b"other", bytes(len(VIDEO)), VIDEO), strict=True):
        path.write_bytes(data)
    if where != "a kept upload":
        dead_copies(store)
        kept.pop().replace(home_of(store) / "incoming/4567/copy")
    report = check(store, repair=True, sources=kept)
    assert (report.is_sound, report.lost_keys) == (True, ())
    assert check(store).findings == ()
    assert video(store).read_bytes() == VIDEO


def test_a_source_taken_by_its_size_is_noticed(
    store: LocalArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsck._Repair, "_source_of", lambda self, digest: self._sources[1])
    with pytest.raises(AssertionError):
        test_lost_bytes_are_stored_again_from_a_whole_copy(store, tmp_path, lose_blob, "a kept upload")


def test_wrong_bytes_go_to_quarantine(store: LocalArtifactStore) -> None:
    flip_blob(store)
    (finding,) = check(store, repair=True).findings
    assert "quarantine" in finding.repaired
    (kept,) = (home_of(store) / "quarantine").iterdir()
    assert kept.read_bytes() == flipped(VIDEO, 700)


def test_lost_bytes_of_older_generations_only_are_no_damage(store: LocalArtifactStore) -> None:
    store.commit(KEY, {}, attempt_id="3")
    lose_blob(store)
    report = check(store)
    assert report.is_sound
    assert "older generations" in report.findings[0].remedy


def test_what_a_living_process_works_on_is_spared(store: LocalArtifactStore) -> None:
    """However old it is: its lock says that it lives."""
    copy = store.fetch(store.put(io.BytesIO(VIDEO), "video/mp4"))
    with _durable.PrivateFile(home_of(store) / "incoming") as private:
        os.utime(copy.parent, (0, 0))
        os.utime(private.path, (0, 0))
        report = check(store, repair=True)
        assert (report.findings, report.live_count) == ((), 2)
        assert copy.exists()
        assert private.path.exists()


def test_a_sweep_that_asks_no_lock_is_noticed(store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_durable, "_try_lock", lambda fd: True)
    with pytest.raises(AssertionError):
        test_what_a_living_process_works_on_is_spared(store)


def test_a_private_directory_that_a_repair_took_is_made_again(store: LocalArtifactStore) -> None:
    """Between its making and its lock it looks abandoned."""
    real, swept = fcntl.flock, []

    class SweepingFcntl:
        def __getattr__(self, name: str) -> object:
            return getattr(fcntl, name)

        def flock(self, fd: int, how: int) -> None:
            if how == fcntl.LOCK_EX and not swept:
                swept.append(fd)
                assert check(store, repair=True).findings[0].repaired == "removed"
            real(fd, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_durable, "fcntl", SweepingFcntl())
        copy = store.fetch(store.put(io.BytesIO(VIDEO), "video/mp4"))
    assert swept
    assert copy.read_bytes() == VIDEO
