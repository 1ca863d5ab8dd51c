"""Every operation of the bucket store x every fault of the service: done or typed, never half."""

import hashlib
import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactCorrupt, ArtifactError, ArtifactMissing
from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from sparkle_dagster.artifacts.manifests import decoded
from tests.gcs.proxy import FAULTS
from tests.gcs.rig import Rig
from tests.sparkle_dagster.artifacts.cases import KEY, document_of, read_all

SMALL = b"a caption\n" * 50
WRONG = b"wrong"
LARGE = bytes(range(256)) * 70_000  # 18 MB: three pieces
CARRY_BYTES = {"upload", "piece", "download"}
"""Where a flipped bit is ours to find. Descriptions carry no checksum: TLS lets them through whole or not at all."""

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""The client leaves a broken connection to the garbage collector."""

DONE_ANYHOW = {"lost answer", "truncated"}


@dataclass
class Stage:
    """A store that holds ``ref`` under KEY and a name, and the same store on a machine without copies."""

    store: GcsArtifactStore
    elsewhere: GcsArtifactStore
    service: Rig
    ref: ArtifactRef


def put(data: bytes) -> Callable[[Stage], Any]:
    def act(stage: Stage) -> None:
        ref = stage.store.put(io.BytesIO(data), "video/mp4")
        assert ref.digest == hashlib.sha256(data).hexdigest()
        assert stage.service.content(stage.store.place.prefix, f"ws/main/{ref.path}") == data

    return act


def put_where_wrong_bytes_are(stage: Stage) -> None:
    stage.service.damage(stage.store, stage.ref, WRONG)
    stage.store.put(io.BytesIO(SMALL), "text/plain")
    assert stage.service.content(stage.store.place.prefix, f"ws/main/{stage.ref.path}") == SMALL


def read_bytes(stage: Stage) -> None:
    assert read_all(stage.elsewhere, stage.ref) == SMALL


def commit(stage: Stage) -> None:
    made = stage.store.commit(KEY, document_of(stage.ref, n=2), attempt_id="b")
    assert made.generation == 2
    assert stage.elsewhere.read(KEY, 2) == made


def commit_expected(stage: Stage) -> None:
    assert stage.store.commit(KEY, {"n": 2}, attempt_id="b", expect_generation=2).generation == 2


def name(stage: Stage) -> None:
    stage.store.name("faces/y", stage.ref)
    assert stage.elsewhere.named("faces/y") == stage.ref


def named(stage: Stage) -> None:
    assert stage.elsewhere.named("faces/x") == stage.ref


def verify(stage: Stage) -> None:
    stage.elsewhere.verify(stage.ref)


def exists(stage: Stage) -> None:
    assert stage.store.exists(stage.ref)


def read_manifest(stage: Stage) -> None:
    assert stage.elsewhere.read(KEY).document == document_of(stage.ref)


def keys(stage: Stage) -> None:
    assert stage.elsewhere.keys() == (KEY,)


ACTS: dict[str, tuple[Callable[[Stage], Any], tuple[str, ...]]] = {
    "put": (put(b"something new"), ("upload",)),
    "put in pieces": (put(LARGE), ("start", "piece")),
    "put again": (put(SMALL), ("upload", "look", "patch")),
    "put where wrong bytes are": (put_where_wrong_bytes_are, ("upload", "look", "rewrite", "delete")),
    "open": (read_bytes, ("look", "download")),
    "verify": (verify, ("look", "download")),
    "exists": (exists, ("look",)),
    "name": (name, ("upload",)),
    "named": (named, ("look", "download")),
    "commit": (commit, ("patch", "list", "upload")),
    "commit what is expected": (commit_expected, ("list", "upload")),
    "read": (read_manifest, ("list", "download")),
    "keys": (keys, ("list",)),
}
CASES = [
    (act, operation, fault)
    for act, (_, operations) in ACTS.items()
    for operation in operations
    for fault in FAULTS
    if fault != "flipped" or operation in CARRY_BYTES
]


@pytest.fixture
def stage(bucket_store: GcsArtifactStore, service: Rig, tmp_path: Path) -> Stage:
    ref = bucket_store.put(io.BytesIO(SMALL), "text/plain")
    bucket_store.commit(KEY, document_of(ref), attempt_id="a")
    bucket_store.name("faces/x", ref)
    elsewhere = GcsArtifactStore(bucket_store.place, tmp_path / uuid.uuid4().hex)
    return Stage(bucket_store, elsewhere, service, ref)


def nothing_partial(stage: Stage) -> None:
    """Stored bytes are what their name says (or the wrong ones of the test), manifests are whole, without gaps."""
    prefix = stage.store.place.prefix
    for path in stage.service.objects(prefix):
        data = stage.service.content(prefix, path)
        if "/cas/" in path and data != WRONG:
            assert hashlib.sha256(data).hexdigest() == path.rpartition("/")[2]
        elif "/refs/" in path or "/names/" in path:
            decoded(data, path)
    numbers = stage.elsewhere.generations(KEY)
    assert numbers == tuple(range(1, len(numbers) + 1))


@pytest.mark.requirement("S35", "S45")
@pytest.mark.parametrize(("act", "operation", "fault"), CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
def test_a_fault_that_passes_changes_nothing(stage: Stage, act: str, operation: str, fault: str) -> None:
    armed = stage.service.proxy.arm(operation, fault)
    ACTS[act][0](stage)
    assert armed.fired == 1
    nothing_partial(stage)


@pytest.mark.parametrize("fault", ["503", "reset before", "lost answer", "truncated"])
@pytest.mark.parametrize(("act", "operation"), [(act, uses[-1]) for act, (_, uses) in ACTS.items()])
def test_a_fault_that_stays_is_typed_and_leaves_nothing_half(
    stage: Stage, act: str, operation: str, fault: str
) -> None:
    """The deadline is short; afterwards the same act succeeds."""
    patient = stage.store.place, stage.elsewhere.place
    for store in (stage.store, stage.elsewhere):
        hasty = stage.service.place(store.place.prefix, deadline_seconds=0.3)
        store.__init__(hasty, store.mirror.root)  # type: ignore[misc]
    armed = stage.service.proxy.arm(operation, fault, times=10_000)
    failed: ArtifactError | None = None
    try:
        ACTS[act][0](stage)
    except ArtifactError as error:
        failed = error
    if failed is None:
        assert fault in DONE_ANYHOW  # and found to be done
    else:
        assert not isinstance(failed, ArtifactMissing | ArtifactCorrupt)
        assert "running again is safe" in str(failed)
    assert armed.fired >= 1
    stage.service.proxy.calm()
    nothing_partial(stage)
    for store, place in zip((stage.store, stage.elsewhere), patient, strict=True):
        store.__init__(place, store.mirror.root)  # type: ignore[misc]
    ACTS[act][0](stage)
