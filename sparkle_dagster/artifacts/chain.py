"""Generations of keys: ``refs/<key>/@<n>``, one manifest each. The link of a manifest is the one commit point."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.errors import ArtifactConflict, ArtifactCorrupt, ArtifactMissing, ContractViolation, SparkleError
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.keys import Layout, checked_key
from sparkle_dagster.artifacts.manifests import Manifest, blobs_of, decoded, encoded, plain_document, why_lost

_GENERATION = re.compile(r"@([1-9][0-9]{0,17})")
_LOOK_BACK = 32
"""Generations searched for an earlier commit of the same attempt."""


class GenerationChain:
    """Every key of one workspace."""

    def __init__(self, layout: Layout, blobs: BlobArea) -> None:
        self._layout = layout
        self._blobs = blobs

    def commit(self, key: str, document: dict[str, Any], attempt_id: str, expect_generation: int | None) -> Manifest:
        plain = plain_document(document)
        directory = self._directory(key)
        with _durable.locked(self._layout.gc_lock):  # no sweep between the check of the blobs and the link
            draft = Manifest.parse(
                {
                    "workspace": self._layout.home.name,
                    "key": key,
                    "generation": 1,
                    "document": plain,
                    "attempt_id": attempt_id,
                    "blobs": self._present_blobs(key, plain),
                    "committed_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                }
            )
            self._make(directory)
            newest = max(self.generations(key), default=0)
            if expect_generation is None:
                return self._commit_next(draft, newest)
            _check_expected(key, newest, expect_generation)
            return self._commit_as(draft, expect_generation)

    def _commit_next(self, draft: Manifest, newest: int) -> Manifest:
        for generation in range(newest, max(newest - _LOOK_BACK, 0), -1):
            earlier = self._readable(draft.key, generation)
            if earlier is not None and earlier.is_same_commit(draft):
                _durable.sync_directory(self._directory(draft.key))
                return earlier
        generation = newest + 1
        while True:
            try:
                return self._commit_as(draft, generation)
            except ArtifactConflict:
                generation += 1

    def _commit_as(self, draft: Manifest, generation: int) -> Manifest:
        manifest = draft.model_copy(update={"generation": generation})
        with _durable.PrivateFile(self._layout.incoming) as private:
            private.write(encoded(manifest.model_dump(mode="json")))
            private.seal()
            if private.publish(self._directory(draft.key) / f"@{generation}"):
                return manifest
        winner = self._readable(draft.key, generation)
        if winner is not None and winner.is_same_commit(draft):
            return winner
        by = f"attempt {winner.attempt_id} at {winner.committed_at}" if winner else "a manifest that cannot be read"
        raise ArtifactConflict(
            f"{draft.key}: expected to make generation {generation}, got one by {by}; read it, then decide"
        )

    def read(self, key: str, generation: int | None) -> Manifest:
        if generation is None:
            generation = max(self.generations(key), default=0)
        place = f"{key} @{generation}"
        try:
            with _reading.reading(self._directory(key) / f"@{generation}") as fd:
                data = b"".join(_reading.blocks(fd))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ArtifactMissing(f"{self._unknown(key, generation)}; run what makes it") from error
        try:
            body = decoded(data, place)
        except ArtifactCorrupt as error:
            raise ArtifactCorrupt(f"{error}; run again what makes it: a new generation will follow this one") from error
        if (why := why_lost(body)) is not None:
            raise ArtifactMissing(f"{place}: {why}; run again what makes it: a new generation will follow this one")
        manifest = Manifest.parse(body)
        found = (manifest.workspace, manifest.key, manifest.generation)
        if found != (self._layout.home.name, key, generation):
            raise ArtifactCorrupt(f"{place}: the manifest that lies there is of {found}; run again what makes it")
        return manifest

    def generations(self, key: str) -> tuple[int, ...]:
        names = _reading.names_in(self._directory(key))
        return tuple(sorted(int(match[1]) for match in map(_GENERATION.fullmatch, names) if match))

    def keys(self, prefix: str) -> Iterator[str]:
        """Sorted; whole parts of the prefix choose where to look."""
        parent, _, start = prefix.rpartition("/")
        base = self._directory(parent) if parent else self._layout.refs
        for name in _reading.names_in(base):
            if name.startswith(start):
                yield from self._keys_below(f"{parent}/{name}" if parent else name, base / name)

    def _keys_below(self, key: str, directory: Path) -> Iterator[str]:
        names = _reading.names_in(directory)
        if any(_GENERATION.fullmatch(name) for name in names):
            yield key
        for name in names:
            if not name.startswith("@"):
                yield from self._keys_below(f"{key}/{name}", directory / name)

    def _directory(self, key: str) -> Path:
        return self._layout.refs / checked_key(key)

    def _make(self, directory: Path) -> None:
        for parent in reversed(directory.relative_to(self._layout.refs).parents[:-1]):
            _durable.make_directory(self._layout.refs / parent)
        _durable.make_directory(directory)

    def _present_blobs(self, key: str, document: dict[str, Any]) -> tuple[str, ...]:
        digests = blobs_of(document)
        missing = [digest for digest in digests if not self._blobs.has(digest)]
        if missing:
            raise ArtifactMissing(
                f"{key}: the document refers to bytes that are not stored: "
                f"{', '.join(f'sha256:{digest}' for digest in missing)}; put them first, then commit"
            )
        return digests

    def _readable(self, key: str, generation: int) -> Manifest | None:
        try:
            return self.read(key, generation)
        except SparkleError:
            return None

    def _unknown(self, key: str, generation: int) -> str:
        known = self.generations(key)
        if not known:
            return f"{key}: nothing was committed under this key"
        return f"{key}: expected generation {generation}, got {', '.join(map(str, known[-5:]))} as the last ones"


def _check_expected(key: str, newest: int, expected: int) -> None:
    if expected < 1:
        raise ContractViolation(f"{key}: expect_generation is the number to be made, 1 for the first; got {expected}")
    if expected > newest + 1:
        raise ArtifactConflict(f"{key}: expected to make generation {expected}, got {newest} as the newest")
