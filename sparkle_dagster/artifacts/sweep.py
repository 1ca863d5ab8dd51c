"""Take out of a store what nothing refers to any more. Safe beside writers; stops before what it cannot read.

1. every stored file is listed, with when it was last used;
2. commits that are under way are waited for: from here on, whoever commits touches what it refers to;
3. every manifest is read, and what it refers to is marked; one that cannot be read stops the sweep;
4. what is not marked, and was not used since ``unused_since``, is removed - unless it was touched after it was listed.

A removed generation leaves a tombstone that says why it went and how to make it again. Not here: which policies
remove generations (``retention``).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from contracts.errors import ArtifactCorrupt, ArtifactError
from sparkle_dagster.artifacts.manifests import decoded
from sparkle_dagster.artifacts.retention import Generation, Inventory, Removal
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.artifacts.uses import BlobUse, NameUse

_GENERATION = re.compile(r"@([1-9][0-9]{0,17})")
_BATCH = 256
"""Files removed under one lock: a writer waits for no longer than that takes."""


@dataclass
class Swept:
    """What went, or would go."""

    removals: list[Removal] = field(default_factory=list[Removal])
    blobs: list[BlobUse] = field(default_factory=list[BlobUse])
    names: list[NameUse] = field(default_factory=list[NameUse])
    spared: int = 0
    """Files that were to go and were used again meanwhile."""

    @property
    def size_bytes(self) -> int:
        return sum(use.size_bytes for use in self.blobs)


def take_inventory(store: ArtifactStore, sizes: dict[str, int]) -> Inventory:
    """Every manifest. Raises: ArtifactCorrupt: one cannot be read."""
    return Inventory(list(_generations(store)), sizes)


def sweep(
    store: ArtifactStore,
    choose: Callable[[Inventory], list[Removal]],
    tombstone: Callable[[Removal], dict[str, object]],
    *,
    unused_since: float,
    names_unused_since: float,
    dry_run: bool,
) -> Swept:
    """One sweep.

    Args:
        choose: which generations go, by policy.
        tombstone: what to leave in place of them.
        unused_since: bytes that were used after this (seconds since the epoch) stay, referred to or not.
        names_unused_since: names that were given before this go.

    Raises:
        ArtifactCorrupt: a manifest cannot be read; nothing was removed.
    """
    uses = list(store.blob_uses())
    store.let_commits_finish()
    inventory = take_inventory(store, {use.digest: use.size_bytes for use in uses})
    swept = Swept(removals=choose(inventory))
    gone = {(removal.key, number) for removal in swept.removals for number in _numbers(inventory, removal)}
    marked = {
        digest
        for generation in inventory.generations
        if (generation.key, generation.number) not in gone
        for digest in generation.blobs
    }
    for name in store.name_uses():
        if name.given < names_unused_since:
            swept.names.append(name)
        else:
            marked.add(name.digest)
    dead = [use for use in uses if use.digest not in marked and use.used < unused_since]
    if dry_run:
        swept.blobs = dead
        return swept
    for removal in swept.removals:
        store.bury(removal.key, removal.last, tombstone(removal))
    swept.names = [name for name in swept.names if store.forget(name)]
    for batch in _batches(dead):
        swept.blobs += store.remove_blobs(batch)
    swept.spared = len(dead) - len(swept.blobs)
    return swept


def _generations(store: ArtifactStore) -> Iterator[Generation]:
    for entry in store.ref_entries():
        match = _GENERATION.fullmatch(entry.name)
        if match is None:
            continue
        place = f"{entry.key} {entry.name}"
        try:
            data = store.ref_bytes(entry.key, entry.name)
        except FileNotFoundError:
            continue  # another sweep was quicker
        except ArtifactError as error:
            raise ArtifactCorrupt(f"{place} cannot be read: {error}; {_STOPPED}") from error
        try:
            body = decoded(data, place)
        except ArtifactCorrupt as error:
            raise ArtifactCorrupt(f"{error}; {_STOPPED}") from error
        yield Generation(entry.key, int(match[1]), tuple(body.get("blobs", ())), entry.modified)


_STOPPED = "what it refers to is not known, so nothing was removed: run `sparkle fsck --repair`, then sweep again"


def _numbers(inventory: Inventory, removal: Removal) -> Iterable[int]:
    return (item.number for item in inventory.by_key[removal.key] if item.number <= removal.last)


def _batches(uses: list[BlobUse]) -> Iterator[Collection[BlobUse]]:
    for start in range(0, len(uses), _BATCH):
        yield uses[start : start + _BATCH]
