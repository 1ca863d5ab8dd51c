"""Generations of keys: one manifest each, ``@<n>``. Making a manifest is the one commit point.

Not here: where manifests are (``local_refs``, ``gcs``).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from contracts.errors import ArtifactConflict, ArtifactCorrupt, ArtifactMissing, ContractViolation, SparkleError
from sparkle_dagster.artifacts.keys import checked_key
from sparkle_dagster.artifacts.manifests import Manifest, blobs_of, decoded, encoded, plain_document, why_lost
from sparkle_dagster.artifacts.uses import RefEntry

_GENERATION = re.compile(r"@([1-9][0-9]{0,17})")
_GONE = re.compile(r"@gone([1-9][0-9]{0,17})")
_LOOK_BACK = 32
"""Generations searched for an earlier commit of the same attempt."""


class RefArea(Protocol):
    """Where the manifests of one workspace are."""

    def let_commits_finish(self) -> None: ...
    def entries(self, prefix: str = "") -> Iterator[RefEntry]: ...
    def remove(self, key: str, names: Iterable[str]) -> None: ...

    def committing(self, digests: Iterable[str]) -> AbstractContextManager[list[str]]:
        """What is stored of ``digests`` stays stored inside; gives those that are not."""
        ...

    def prepare(self, key: str) -> None: ...
    def names(self, key: str) -> list[str]: ...
    def read(self, key: str, name: str) -> bytes: ...
    def create(self, key: str, name: str, data: bytes) -> bool: ...
    def settle(self, key: str) -> None: ...
    def keys(self, prefix: str) -> Iterator[tuple[str, list[str]]]: ...


class GenerationChain:
    """Every key of one workspace."""

    def __init__(self, workspace: str, refs: RefArea) -> None:
        self._workspace = workspace
        self._refs = refs

    def commit(self, key: str, document: dict[str, Any], attempt_id: str, expect_generation: int | None) -> Manifest:
        plain, key = plain_document(document), checked_key(key)
        digests = blobs_of(plain)
        with self._refs.committing(digests) as missing:
            if missing:
                raise ArtifactMissing(
                    f"{key}: the document refers to bytes that are not stored: "
                    f"{', '.join(f'sha256:{digest}' for digest in missing)}; put them first, then commit"
                )
            draft = Manifest.parse(
                {
                    "workspace": self._workspace,
                    "key": key,
                    "generation": 1,
                    "document": plain,
                    "attempt_id": attempt_id,
                    "blobs": digests,
                    "committed_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                }
            )
            self._refs.prepare(key)
            newest = self.newest(key)
            if expect_generation is None:
                return self._commit_next(draft, newest)
            _check_expected(key, newest, expect_generation)
            return self._commit_as(draft, expect_generation)

    def _commit_next(self, draft: Manifest, newest: int) -> Manifest:
        for generation in range(newest, max(newest - _LOOK_BACK, 0), -1):
            earlier = self._readable(draft.key, generation)
            if earlier is not None and earlier.is_same_commit(draft):
                self._refs.settle(draft.key)
                return earlier
        generation = newest + 1
        while True:
            try:
                return self._commit_as(draft, generation)
            except ArtifactConflict:
                generation += 1

    def _commit_as(self, draft: Manifest, generation: int) -> Manifest:
        manifest = draft.model_copy(update={"generation": generation})
        if self._refs.create(draft.key, f"@{generation}", encoded(manifest.model_dump(mode="json"))):
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
            data = self._refs.read(checked_key(key), f"@{generation}")
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
        if found != (self._workspace, key, generation):
            raise ArtifactCorrupt(f"{place}: the manifest that lies there is of {found}; run again what makes it")
        return manifest

    def generations(self, key: str) -> tuple[int, ...]:
        return _numbers(self._refs.names(checked_key(key)))

    def newest(self, key: str) -> int:
        """The highest number that was ever given, also when its manifest was removed on purpose; 0 for none."""
        names = self._refs.names(checked_key(key))
        return max([*_numbers(names), *_numbers(names, _GONE)], default=0)

    def first(self, key: str) -> int:
        """The lowest number that must be there: those before it were removed on purpose."""
        return 1 + max(_numbers(self._refs.names(checked_key(key)), _GONE), default=0)

    def bury(self, key: str, last: int, tombstone: dict[str, Any]) -> None:
        """Remove all generations up to ``last``; what stands in their place says why, and how to make them again."""
        names = self._refs.names(checked_key(key))
        body = {"workspace": self._workspace, "key": key, "last": last, **plain_document(tombstone)}
        self._refs.create(key, f"@gone{last}", encoded(body))
        older = [f"@gone{number}" for number in _numbers(names, _GONE) if number < last]
        numbers = [f"@{number}" for number in _numbers(names) if number <= last]
        self._refs.remove(key, [*numbers, *older])

    def tombstone(self, key: str) -> dict[str, Any] | None:
        """What ``bury`` left, newest first; None where nothing was removed."""
        numbers = _numbers(self._refs.names(checked_key(key)), _GONE)
        try:
            return decoded(self._refs.read(key, f"@gone{numbers[-1]}"), key) if numbers else None
        except (FileNotFoundError, ArtifactCorrupt):
            return None

    def keys(self, prefix: str) -> Iterator[str]:
        """Sorted."""
        parent = prefix.rpartition("/")[0]
        if parent:
            checked_key(parent)
        for key, names in self._refs.keys(prefix):
            if _numbers(names):
                yield key

    def _readable(self, key: str, generation: int) -> Manifest | None:
        try:
            return self.read(key, generation)
        except SparkleError:
            return None

    def _unknown(self, key: str, generation: int) -> str:
        known = self.generations(key)
        buried = self.tombstone(key) or {}
        if buried and (not known or generation <= buried["last"]):
            return f"{key} @{generation}: removed on {buried.get('at')}: {buried.get('why')}; {buried.get('how')}"
        if not known:
            return f"{key}: nothing was committed under this key"
        return f"{key}: expected generation {generation}, got {', '.join(map(str, known[-5:]))} as the last ones"


def _numbers(names: Iterable[str], form: re.Pattern[str] = _GENERATION) -> tuple[int, ...]:
    return tuple(sorted(int(match[1]) for match in map(form.fullmatch, names) if match))


def _check_expected(key: str, newest: int, expected: int) -> None:
    if expected < 1:
        raise ContractViolation(f"{key}: expect_generation is the number to be made, 1 for the first; got {expected}")
    if expected > newest + 1:
        raise ArtifactConflict(f"{key}: expected to make generation {expected}, got {newest} as the newest")
