"""Ways in which a store on a real disk gets damaged, and what each is called."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparkle_dagster.artifacts.findings import Problem
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.manifests import decoded, encoded
from tests.sparkle_dagster.artifacts.cases import flipped
from tests.sparkle_dagster.artifacts.test_local import home_of, stored_path

VIDEO, KEY, OTHER = b"video" * 400, "aligned_video/a-1", "script/a-1"


def work(store: LocalArtifactStore, attempt_id: str) -> None:
    """What a rerun does: the same bytes, a new manifest."""
    ref = store.put(io.BytesIO(VIDEO), "video/mp4")
    store.commit(KEY, {"video": ref.model_dump(mode="json")}, attempt_id=attempt_id)


def change(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def manifest(store: LocalArtifactStore, key: str, generation: int) -> Path:
    return home_of(store) / "refs" / key / f"@{generation}"


def video(store: LocalArtifactStore) -> Path:
    return stored_path(store, store.put(io.BytesIO(VIDEO), "video/mp4"))


def rewrite(path: Path, **fields: Any) -> None:
    """Another body with a checksum that holds."""
    change(path, encoded({**decoded(path.read_bytes(), "here"), **fields}))


def flip_blob(store: LocalArtifactStore) -> None:
    change(video(store), flipped(VIDEO, 700))


def truncate_blob(store: LocalArtifactStore) -> None:
    change(video(store), VIDEO[:-1])


def lose_blob(store: LocalArtifactStore) -> None:
    video(store).unlink()


def flip_manifest(store: LocalArtifactStore) -> None:
    path = manifest(store, KEY, 2)
    change(path, flipped(path.read_bytes(), 90))


def empty_manifest(store: LocalArtifactStore) -> None:
    change(manifest(store, KEY, 2), b"")


def swap_manifest(store: LocalArtifactStore) -> None:
    manifest(store, OTHER, 1).rename(manifest(store, KEY, 3))


def lose_manifest(store: LocalArtifactStore) -> None:
    manifest(store, KEY, 1).unlink()


def newer_manifest(store: LocalArtifactStore) -> None:
    rewrite(manifest(store, KEY, 2), schema_version=99)


def other_size(store: LocalArtifactStore) -> None:
    path = manifest(store, KEY, 2)
    document = decoded(path.read_bytes(), "here")["document"]
    document["video"]["size_bytes"] += 1
    rewrite(path, document=document)


def damage_name(store: LocalArtifactStore) -> None:
    path = home_of(store) / "names/faces/x/@ref"
    change(path, flipped(path.read_bytes(), 30))


def stray_file(store: LocalArtifactStore) -> None:
    (home_of(store) / "cas/sha256/aa").mkdir(exist_ok=True)
    (home_of(store) / "cas/sha256/aa/notes.txt").write_text("mine")


def stray_manifest(store: LocalArtifactStore) -> None:
    (manifest(store, KEY, 1).parent / "@2.bak").write_text("mine")


def dead_file(store: LocalArtifactStore) -> None:
    (home_of(store) / "incoming/0123").write_bytes(b"half")


def dead_copies(store: LocalArtifactStore) -> None:
    (home_of(store) / "incoming/4567").mkdir()
    (home_of(store) / "incoming/4567/copy").write_bytes(b"half")


Damage = Callable[[LocalArtifactStore], None]
DAMAGES: dict[Damage, tuple[Problem, bool, tuple[str, ...]]] = {
    flip_blob: (Problem.BLOB_CORRUPT, True, (KEY,)),
    truncate_blob: (Problem.BLOB_CORRUPT, True, (KEY,)),
    lose_blob: (Problem.BLOB_MISSING, True, (KEY,)),
    flip_manifest: (Problem.MANIFEST_CORRUPT, True, (KEY,)),
    empty_manifest: (Problem.MANIFEST_CORRUPT, True, (KEY,)),
    swap_manifest: (Problem.MANIFEST_MISPLACED, True, (KEY,)),
    lose_manifest: (Problem.GENERATION_GAP, True, ()),
    newer_manifest: (Problem.MANIFEST_SCHEMA, True, ()),
    other_size: (Problem.SIZE_DIFFERS, True, (KEY,)),
    damage_name: (Problem.NAME_DAMAGED, False, ()),
    stray_file: (Problem.STRAY_FILE, False, ()),
    stray_manifest: (Problem.STRAY_FILE, False, ()),
    dead_file: (Problem.LEFTOVER, False, ()),
    dead_copies: (Problem.LEFTOVER, False, ()),
}
"""What was done -> how it is called, whether it is damage, and which keys must be made again."""
