"""Every power cut of a piece of work: after each change, every part of the unsynced that the disk may have kept.

A case is: what the disk holds before, how many changes an earlier writer made before it was killed (its unsynced
changes are still in the system's cache, and no private file of it is removed), and the work itself.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, combinations
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.errors import SparkleError
from sparkle_dagster.artifacts.fsck import check_store
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.forgetful_disk import ForgetfulDisk, Killed, store_on
from tests.sparkle_dagster.artifacts.inodes import TORN, Inode

ROOT = Path("/disk/store")
KEY, NAME = "script/a-1", "faces/x"
OLD, NEW, EXTRA = b"old" * 50, b"new" * 50, b"extra" * 50
ROTTEN = b"m" + NEW[1:]
_TOLD_ONLY = re.compile(rb'"(?:committed_at|self_checksum)":"[^"]*"')  # differ from run to run, and decide nothing
_ALL_SUBSETS = 5  # of more unsynced names, prefixes and those with one name missing or alone


@dataclass
class Findings:
    """What the power cuts of some cases came to."""

    cuts: int = 0
    """Crash points: changes and acknowledgements after which the power was cut."""
    disks: int = 0
    """Disks found afterwards, equal ones counted as often as they came."""
    checked: set[tuple[object, ...]] = field(default_factory=set)
    """Different disks, with what had been acknowledged."""
    wrong: list[str] = field(default_factory=list)


def commit_new(store: LocalArtifactStore, acknowledge: Callable[[str], object]) -> None:
    """Two artifacts, a manifest that refers to both, and a name."""
    ref, extra = (store.put(io.BytesIO(data), "text/plain") for data in (NEW, EXTRA))
    acknowledge("put")
    store.commit(KEY, _document(ref, extra), attempt_id="new")
    acknowledge("commit")
    store.name(NAME, ref)
    acknowledge("name")


def commit_old(store: LocalArtifactStore) -> None:
    """What lies on the disk before: another generation, another use of the name."""
    ref = store.put(io.BytesIO(OLD), "text/plain")
    store.commit(KEY, _document(ref), attempt_id="old")
    store.name(NAME, ref)


def empty_disk() -> ForgetfulDisk:
    return ForgetfulDisk()


def used_disk() -> ForgetfulDisk:
    disk = ForgetfulDisk()
    with store_on(disk):
        commit_old(LocalArtifactStore(ROOT))
    return _synced(disk)


def rotten_disk() -> ForgetfulDisk:
    """The new bytes lie there already, and one bit of them changed."""
    disk = used_disk()
    with store_on(disk):
        LocalArtifactStore(ROOT).put(io.BytesIO(NEW), "text/plain")
    for inode in disk.inodes:
        if inode.data == NEW:
            inode.data = ROTTEN
    return _synced(disk)


def changes_of_work(before: Callable[[], ForgetfulDisk]) -> int:
    """How many changes the work makes: where an earlier writer can be killed."""
    disk, changes = before(), []
    disk.on_change = lambda: changes.append(1)
    with store_on(disk):
        commit_new(LocalArtifactStore(ROOT), lambda step: None)
    return len(changes)


def cut_power_everywhere(
    before: Callable[[], ForgetfulDisk], killed_after: int, findings: Findings, *, until_wrong: bool = False
) -> None:
    """One case: every cut, every disk; each different disk is looked at and the work done again on it."""
    disk = before()
    acknowledged = _run_until_killed(disk, killed_after)

    def cut() -> None:
        findings.cuts += 1
        if until_wrong and findings.wrong:
            return
        for found in disks_found_after(disk):
            findings.disks += 1
            contents = found.contents()
            plain = frozenset((_kind(path), _TOLD_ONLY.sub(b"", data or b"")) for path, data in contents.items())
            key = (before, frozenset(acknowledged), plain)
            if key not in findings.checked:
                findings.checked.add(key)
                findings.wrong += _wrong_on(found, acknowledged, had_old=before is not empty_disk)

    def acknowledge(step: str) -> None:
        acknowledged.append(step)
        cut()

    disk.on_change = cut
    with store_on(disk):
        commit_new(LocalArtifactStore(ROOT), acknowledge)


def disks_found_after(disk: ForgetfulDisk) -> Iterator[ForgetfulDisk]:
    """Private names in ``incoming`` survive all or not at all, other names in any combination."""
    names = disk.unsynced_names()
    private = [item for item in names if item[0].path.endswith("/incoming")]
    public = [item for item in names if not item[0].path.endswith("/incoming")]
    for kept in _parts_of(public):
        for also in [private, []] if private else [[]]:
            for torn in TORN if disk.has_unsynced_data() else TORN[:1]:
                yield disk.after_power_cut([*kept, *also], torn)


def _parts_of(names: list[tuple[Inode, int]]) -> Iterator[tuple[tuple[Inode, int], ...]]:
    if len(names) <= _ALL_SUBSETS:
        yield from chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))
        return
    for index in range(len(names) + 1):
        yield tuple(names[:index])
        yield tuple(names[:index] + names[index + 1 :])
        yield tuple(names[index : index + 1])


def _wrong_on(disk: ForgetfulDisk, acknowledged: list[str], *, had_old: bool) -> list[str]:
    wrong: list[str] = []
    with store_on(disk):
        store = LocalArtifactStore(ROOT)
        try:
            wrong += _lost(store, acknowledged, had_old=had_old) + _visible_damage(disk, store)
            commit_new(store, lambda step: None)
            wrong += _lost(store, ["put", "commit", "name"], had_old=had_old) + _visible_damage(disk, store)
            wrong += [finding.message for finding in check_store(ROOT).findings if finding.is_damage]
            if len(store.generations(KEY)) != 1 + had_old:
                wrong.append(f"doing it again does not converge: {store.generations(KEY)}")
        except (SparkleError, OSError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
    return [f"after {acknowledged}: {line}" for line in wrong]


def _lost(store: LocalArtifactStore, acknowledged: list[str], *, had_old: bool) -> list[str]:
    """What was promised and is not there. Raises: SparkleError when something cannot be read."""
    new, extra = _ref_of(NEW), _ref_of(EXTRA)
    if had_old:
        store.verify(_ref_of(OLD))
        if store.read(KEY, 1).document != _document(_ref_of(OLD)):
            return ["the old generation is another one"]
        if store.named(NAME) not in (_ref_of(OLD), new):
            return ["the old name is gone"]
    if "put" in acknowledged:
        store.verify(new)
        store.verify(extra)
    if "commit" in acknowledged and store.read(KEY).document != _document(new, extra):
        return ["the acknowledged commit is gone"]
    if "name" in acknowledged and store.named(NAME) != new:
        return ["the acknowledged name is gone"]
    return []


def _visible_damage(disk: ForgetfulDisk, store: LocalArtifactStore) -> list[str]:
    """Wrong bytes (but for the rot that was there before), unreadable manifests, gaps, references to nothing."""
    files = {path: data for path, data in disk.contents().items() if data is not None}
    stored = {path.rpartition("/")[2]: data for path, data in files.items() if "/cas/" in path}
    wrong = [
        f"{name} holds other bytes"
        for name, data in stored.items()
        if hashlib.sha256(data).hexdigest() != name and data != ROTTEN
    ]
    for key in store.keys(""):
        generations = store.generations(key)
        if generations != tuple(range(1, len(generations) + 1)):
            wrong.append(f"{key} has gaps: {generations}")
        for generation in generations:
            blobs = store.read(key, generation).blobs
            wrong += [f"{key} @{generation} refers to nothing at {name}" for name in blobs if name not in stored]
    return wrong


def _run_until_killed(disk: ForgetfulDisk, changes: int) -> list[str]:
    """What the earlier writer acknowledged; that holds too."""
    disk.calls_left, acknowledged = changes, []
    with store_on(disk), suppress(Killed):
        commit_new(LocalArtifactStore(ROOT), acknowledged.append)
    disk.calls_left = None
    return acknowledged


def _synced(disk: ForgetfulDisk) -> ForgetfulDisk:
    for inode in disk.inodes:
        inode.sync()
    return disk


def _kind(path: str) -> str:
    """Private names are random and mean nothing."""
    return "private" if "/incoming/" in path or "/quarantine/" in path else path


def _document(*refs: ArtifactRef) -> dict[str, object]:
    return {"outputs": [ref.model_dump(mode="json") for ref in refs]}


@cache
def _ref_of(data: bytes) -> ArtifactRef:
    with store_on(ForgetfulDisk()):
        return LocalArtifactStore(ROOT).put(io.BytesIO(data), "text/plain")
