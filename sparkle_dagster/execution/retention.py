"""Removing what a workspace no longer keeps: policies, holds, what is in flight, and the tombstones that are left.

Works without Dagster; its caller tells which productions have runs, and prunes Dagster's own records (``defs``).
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from contracts.base import Model
from contracts.errors import ArtifactError
from sparkle_dagster.artifacts.retention import Inventory, Policy, Removal, removals
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.artifacts.sweep import Swept, sweep
from sparkle_dagster.execution.decisions import approvals
from sparkle_dagster.execution.memo_places import remembered_places
from sparkle_dagster.workspace import Workspace

HOLD = "hold"
"""Keys ``hold/<production>``: ``{"held": bool, "reason": str, "by": str}``; the newest generation counts."""
_ATTEMPT_SECONDS = 8 * 86400.0
"""Longer than the longest deadline of an attempt: its folder belongs to nobody any more."""


class Gone(Model):
    """One thing that went, or would go."""

    what: str
    why: str
    size_bytes: int = 0


class Collected(Model):
    """What one collection did, or would do."""

    dry_run: bool
    gone: tuple[Gone, ...] = ()
    productions: tuple[str, ...] = Field(default=(), description="Of which nothing is left.")
    blob_count: int = 0
    size_bytes: int = Field(default=0, description="Of stored files that nothing referred to.")
    name_count: int = 0
    spared_count: int = Field(default=0, description="Files that were used again while it looked.")
    protected: dict[str, str] = Field(default_factory=dict, description="Production -> why it stays.")


def collect(workspace: Workspace, in_flight: Mapping[str, float], *, dry_run: bool) -> Collected:
    """One collection.

    Args:
        in_flight: production -> when its oldest unfinished run began, seconds since the epoch.

    Raises:
        ArtifactError: a manifest cannot be read, or the clock cannot be right; nothing was removed.
    """
    rules, store, now = workspace.registry.settings.retention, workspace.store, time.time()
    protected = {**approvals(store), **holds(store), **dict.fromkeys(in_flight, "a run of it is in flight")}
    names_unused_since = now - rules.memo_s
    policy = Policy(rules, now, store.free_bytes, protected, remembered_places(store, names_unused_since))
    unused_since = min(now - max(rules.grace_s, store.least_grace_seconds), *in_flight.values(), now)
    inventories: list[Inventory] = []

    def choose(inventory: Inventory) -> list[Removal]:
        inventories.append(inventory)
        return removals(inventory, policy)

    swept = sweep(
        store,
        choose,
        lambda removal: _tombstone(workspace, removal),
        unused_since=unused_since,
        names_unused_since=names_unused_since,
        dry_run=dry_run,
    )
    whole = _whole_productions(inventories[-1], swept)
    gone = [*_told(inventories[-1], swept)]
    gone += _leftovers(store, dry_run=dry_run)
    gone += _copies(store, unused_since, dry_run=dry_run)
    gone += [item for place, why in _old_folders(workspace, now) if (item := _removed(place, why, dry_run=dry_run))]
    return Collected(
        dry_run=dry_run,
        gone=tuple(gone),
        productions=whole,
        blob_count=len(swept.blobs),
        size_bytes=swept.size_bytes,
        name_count=len(swept.names),
        spared_count=swept.spared,
        protected=protected,
    )


def holds(store: ArtifactStore) -> dict[str, str]:
    """Production -> why it is held. Raises: ArtifactError: a hold cannot be read."""
    found: dict[str, str] = {}
    for key in store.keys(f"{HOLD}/"):
        document = store.read(key).document
        if document.get("held"):
            found[key.partition("/")[2]] = f"held: {document.get('reason') or 'no reason was given'}"
    return found


def set_hold(store: ArtifactStore, production: str, *, held: bool, reason: str, attempt_id: str) -> None:
    """Keep a production whatever the policies say, or let go of it."""
    store.commit(f"{HOLD}/{production}", {"held": held, "reason": reason}, attempt_id=attempt_id)


def _tombstone(workspace: Workspace, removal: Removal) -> dict[str, Any]:
    """Why, and how to make it again: from what, by what, with which command."""
    asset, _, production = removal.key.partition("/")
    document: dict[str, Any] = {}
    with suppress(ArtifactError):  # a generation that was lost has nothing to tell
        document = workspace.store.read(removal.key, removal.last).document
    record, result = document.get("record", {}), document.get("result", {})
    node = next((node.id for node in workspace.workflow.nodes if node.asset_key == asset), asset)
    how = f"make it again: sparkle rerun {production} --from {node}"
    if asset == "upload" or (removal.is_whole and asset not in workspace.registry.settings.retention.assets):
        names = _source_names(workspace, production)
        how = f"make it again: sparkle run, with the files it was made from ({names})"
    made = {name: record.get(name) for name in ("provider", "provider_version", "code_version", "definition_digest")}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "why": removal.why,
        "how": how,
        "made": {**made, "inputs": record.get("inputs", {}), "data_version": document.get("data_version", "")},
        "contract": document.get("contract", ""),
        "source_names": result.get("source_names", {}),
    }


def _source_names(workspace: Workspace, production: str) -> str:
    with suppress(ArtifactError):
        upload = workspace.read_result("upload", production)
        voice = upload["audio_track"]["checksum"]
        return f"{', '.join(upload.get('source_names', {}).values())}; its voice is {voice}"
    return "its upload tells which"


def _told(inventory: Inventory, swept: Swept) -> Iterator[Gone]:
    for removal in swept.removals:
        mine = [item for item in inventory.by_key[removal.key] if item.number <= removal.last]
        what = removal.key if removal.is_whole else f"{removal.key} @{mine[0].number} to @{removal.last}"
        yield Gone(what=what, why=removal.why, size_bytes=inventory.bytes_used_by(mine))


def _whole_productions(inventory: Inventory, swept: Swept) -> tuple[str, ...]:
    """Those whose upload went: nothing can be made of them without their files."""
    return tuple(
        removal.key.partition("/")[2]
        for removal in swept.removals
        if removal.is_whole and removal.key.startswith("upload/")
    )


def _leftovers(store: ArtifactStore, *, dry_run: bool) -> Iterator[Gone]:
    for name, size_bytes in store.remove_leftovers(dry_run=dry_run):
        yield Gone(what=f"incoming/{name}", why="the process that wrote it is dead", size_bytes=size_bytes)


def _copies(store: ArtifactStore, unused_since: float, *, dry_run: bool) -> Iterator[Gone]:
    """This machine's copies of a bucket store: all can be fetched again."""
    if store.mirror is None:
        return
    swept = sweep(
        store.mirror,
        lambda _: [],
        lambda _: {},
        unused_since=unused_since,
        names_unused_since=unused_since,
        dry_run=dry_run,
    )
    if swept.blobs:
        what = f"{len(swept.blobs)} copies on this machine"
        yield Gone(what=what, why="they can be fetched again", size_bytes=swept.size_bytes)


def _old_folders(workspace: Workspace, now: float) -> Iterator[tuple[Path, str]]:
    inbox, rules = workspace.inbox, workspace.registry.settings.retention.inbox
    for name, age_s in (("admitted", rules.admitted_s), ("quarantine", rules.quarantine_s)):
        for folder in sorted((inbox / name).glob("*")) if age_s is not None else ():
            if (age := now - folder.lstat().st_mtime) > (age_s or 0):
                yield folder, f"{name} {age / 86400:.1f} days ago"
    for folder in sorted((workspace.settings.home / "scratch").glob("*")):
        if now - folder.lstat().st_mtime > _ATTEMPT_SECONDS:
            yield folder, "an attempt's folder, older than any deadline"


def _removed(place: Path, why: str, *, dry_run: bool) -> Gone | None:
    size_bytes = sum(path.lstat().st_size for path in place.rglob("*") if path.is_file()) if place.is_dir() else 0
    if not dry_run:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        if place.exists():
            return None
    return Gone(what=f"{place.parent.name}/{place.name}", why=why, size_bytes=size_bytes)
