"""Looking at a local store from outside: what a reader could see and must not."""

import hashlib

from contracts.errors import SparkleError
from sparkle_dagster.artifacts.local import LocalArtifactStore


def visible_damage(store: LocalArtifactStore) -> list[str]:
    """Partial or wrong bytes, unreadable manifests, gaps, references to nothing; one sentence each."""
    home = store.root / "ws" / store.workspace
    wrong: list[str] = []
    for path in (home / "cas").rglob("*"):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            wrong.append(f"{path.name} holds other bytes")
    for key in store.keys(""):
        generations = store.generations(key)
        if generations != tuple(range(1, len(generations) + 1)):
            wrong.append(f"{key} has gaps: {generations}")
        for generation in generations:
            wrong += _manifest_damage(store, key, generation)
    return wrong


def _manifest_damage(store: LocalArtifactStore, key: str, generation: int) -> list[str]:
    home = store.root / "ws" / store.workspace
    try:
        manifest = store.read(key, generation)
    except SparkleError as error:
        return [str(error)]
    paths = [home / "cas/sha256" / digest[:2] / digest for digest in manifest.blobs]
    return [f"{key} @{generation} refers to nothing at {path.name}" for path in paths if not path.is_file()]
