"""The local store: the shared cases, and what only a disk can show."""

import errno
import io
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ArtifactClient
from contracts.errors import ArtifactCorrupt, ArtifactError, ContractViolation
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.cases import (
    BODY,
    KEY,
    ArtifactClientCases,
    ArtifactStoreCases,
    Damage,
    flipped,
    read_all,
)
from tests.sparkle_dagster.artifacts.faults import watched


def home_of(store: LocalArtifactStore) -> Path:
    return store.root / "ws" / store.workspace


def stored_path(store: LocalArtifactStore, ref: ArtifactRef) -> Path:
    return home_of(store) / ref.path


@pytest.fixture
def twin(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "elsewhere" / "twin")


@pytest.fixture
def damage(store: LocalArtifactStore) -> Damage:
    def damage_stored(ref: ArtifactRef, data: bytes | None) -> None:
        path = stored_path(store, ref)
        path.unlink()
        if data is not None:
            path.write_bytes(data)

    return damage_stored


@pytest.mark.requirement("S35", "S36", "S37")
class TestLocalArtifactStore(ArtifactStoreCases):
    """The store."""


@pytest.mark.requirement("S27", "S35")
class TestScopedClient(ArtifactClientCases):
    """The store as a provider sees it."""

    @pytest.fixture
    def client(self, store: LocalArtifactStore, tmp_path: Path) -> ArtifactClient:
        (tmp_path / "scratch").mkdir()
        return store.scoped([], scratch_dir=tmp_path / "scratch")


def test_stored_bytes_are_read_only_and_lie_where_the_ref_says(store: LocalArtifactStore) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    found = stored_path(store, ref).stat()
    assert (found.st_mode & 0o777, found.st_nlink) == (0o444, 1)
    assert ref.path == f"cas/sha256/{ref.digest[:2]}/{ref.digest}"


def test_wrong_bytes_are_moved_to_quarantine_and_the_error_says_so(store: LocalArtifactStore, damage: Damage) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    damage(ref, flipped(BODY))
    with pytest.raises(ArtifactCorrupt, match="moved to quarantine/"):
        store.verify(ref)
    (kept,) = (home_of(store) / "quarantine").iterdir()
    assert kept.read_bytes() == flipped(BODY)
    assert not store.exists(ref)
    store.put(io.BytesIO(BODY), "video/mp4")
    assert read_all(store, ref) == BODY


def test_putting_the_bytes_again_marks_them_as_in_use(store: LocalArtifactStore) -> None:
    """So that a sweep of what was long unused spares them."""
    ref = store.put(io.BytesIO(b"1"), "text/plain")
    os.utime(stored_path(store, ref), (0, 0))
    store.put(io.BytesIO(b"1"), "text/plain")
    assert stored_path(store, ref).stat().st_mtime > 0


def test_nothing_is_left_in_incoming(store: LocalArtifactStore, tmp_path: Path) -> None:
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    store.put(io.BytesIO(BODY), "video/mp4")
    store.commit(KEY, {"ref": ref.model_dump()}, attempt_id="a")
    store.name("faces/x", ref)
    with pytest.raises(ArtifactError):
        store.put(io.BytesIO(BODY), "video/mp4", limit_bytes=2_000_000)
    assert list((home_of(store) / "incoming").iterdir()) == []
    store.fetch(ref)
    assert len(list((home_of(store) / "incoming").iterdir())) == 1
    store.close()
    assert list((home_of(store) / "incoming").iterdir()) == []


def test_copies_are_removed_with_their_store(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    copy = store.fetch(store.put(io.BytesIO(b"1"), "text/plain"))
    assert copy.exists()
    del store
    assert not copy.parent.exists()


def test_a_forked_child_leaves_its_parents_copies_alone(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    ref = store.put(io.BytesIO(b"1"), "text/plain")
    copy = store.fetch(ref)
    child = os.fork()
    if child == 0:
        is_its_own = store.fetch(ref) != copy
        store.close()
        os._exit(0 if is_its_own else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert copy.read_bytes() == b"1"


def test_copies_also_reach_another_file_system(store: LocalArtifactStore, tmp_path: Path) -> None:
    """The kernel copies half, then says that it cannot."""
    ref = store.put(io.BytesIO(BODY), "video/mp4")
    calls: list[str] = []

    def copy_half(name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name != "copy_file_range":
            return real(*args, **kwargs)
        calls.append(name)
        if len(calls) > 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        source_fd, target_fd, _, source_offset, target_offset = args
        return real(source_fd, target_fd, len(BODY) // 2, source_offset, target_offset)

    with watched(copy_half):
        copy = store.fetch_into(ref, tmp_path)
    assert len(calls) == 2
    assert copy.read_bytes() == BODY


def test_a_file_that_changes_while_it_is_read_is_refused(store: LocalArtifactStore, tmp_path: Path) -> None:
    """A writer appends before every block that is read, without end."""
    source = tmp_path / "growing"
    source.write_bytes(BODY)
    real_read = os.read

    class GrowingOs:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def read(self, fd: int, count: int) -> bytes:
            with source.open("ab") as writer:
                writer.write(b"more")
            return real_read(fd, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparkle_dagster.artifacts._reading.os", GrowingOs())
        with pytest.raises(ArtifactError, match="changed while it was read"):
            store.put(source, "video/mp4")


@pytest.mark.requirement("S61")
def test_workspaces_share_nothing(tmp_path: Path) -> None:
    one, other = LocalArtifactStore(tmp_path, "one"), LocalArtifactStore(tmp_path, "other")
    ref = one.put(io.BytesIO(b"1"), "text/plain")
    one.commit(KEY, {}, attempt_id="a")
    assert not other.exists(ref)
    assert other.keys() == ()


@pytest.mark.requirement("S61")
@pytest.mark.parametrize("workspace", ["", "..", "a/b", "A", "a" * 65, "a\n"])
def test_hostile_workspaces_are_refused(tmp_path: Path, workspace: str) -> None:
    with pytest.raises(ContractViolation, match="workspace"):
        LocalArtifactStore(tmp_path, workspace)


def test_a_store_and_its_scoped_clients_travel_to_another_process(store: LocalArtifactStore, tmp_path: Path) -> None:
    ref = store.put(io.BytesIO(b"1"), "text/plain")
    store.fetch(ref)
    again = pickle.loads(pickle.dumps(store))
    assert (again.root, again.workspace) == (store.root, store.workspace)
    client = pickle.loads(pickle.dumps(store.scoped([ref], scratch_dir=tmp_path)))
    assert client.fetch(ref) == tmp_path / ref.digest


def test_reading_an_empty_store_makes_no_directory(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "store")
    assert (store.keys(), store.named("a/b"), store.generations(KEY)) == ((), None, ())
    assert not store.root.exists()


def test_a_relative_root_stays_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalArtifactStore(Path("store"))
    monkeypatch.chdir("/")
    store.put(io.BytesIO(b"1"), "text/plain")
    assert (tmp_path / "store/ws/main/cas").is_dir()


def test_a_changed_manifest_is_found_and_the_next_commit_follows_it(store: LocalArtifactStore) -> None:
    store.commit(KEY, {"n": 1}, attempt_id="a")
    path = home_of(store) / "refs" / KEY / "@1"
    original = path.read_bytes()
    path.chmod(0o644)
    for position in range(0, len(original), 7):
        path.write_bytes(flipped(original, position))
        with pytest.raises(ArtifactCorrupt, match="@1"):
            store.read(KEY)
    assert store.commit(KEY, {"n": 1}, attempt_id="a").generation == 2
    assert store.read(KEY).document == {"n": 1}


def test_a_manifest_in_another_place_is_found(store: LocalArtifactStore) -> None:
    store.commit("script/a", {"n": 1}, attempt_id="a")
    store.commit("script/b", {"n": 2}, attempt_id="a")
    (home_of(store) / "refs/script/a/@1").replace(home_of(store) / "refs/script/b/@2")
    with pytest.raises(ArtifactCorrupt, match=r"@2.*script/a"):
        store.read("script/b")


def test_a_damaged_name_is_unknown(store: LocalArtifactStore) -> None:
    store.name("faces/x", store.put(io.BytesIO(b"1"), "text/plain"))
    path = home_of(store) / "names/faces/x/@ref"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])
    assert store.named("faces/x") is None


_FULL = """
import io, sys
from pathlib import Path
from contracts.errors import NoSpace
from sparkle_dagster.artifacts.local import LocalArtifactStore
store = LocalArtifactStore(Path(sys.argv[1]))
try:
    store.put(io.BytesIO(bytes(1_000_000)), "text/plain")
except NoSpace as error:
    print(error)
"""


def test_a_real_file_size_limit_is_no_space(tmp_path: Path) -> None:
    limit = (100_000, 100_000)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert "EFBIG" in done.stdout
    assert "free some space" in done.stdout
    assert list((tmp_path / "ws/main/incoming").iterdir()) == []


def test_a_store_that_cannot_be_made_says_where_and_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"ENOTDIR.*file"):
        LocalArtifactStore(tmp_path / "file" / "store").put(io.BytesIO(b"1"), "text/plain")
