"""A workspace moved from one store to another, and two stores compared. Both may be of any kind.

Bytes go first, then manifests and tombstones as they are, in order; what is there already is not written again, so an
interrupted copy goes on where it was. Bytes are compared with their SHA-256 when they are read and when they are
written. Names stay behind: they are a cache.
"""

import re
from collections.abc import Iterator

from pydantic import Field

from contracts.base import Model
from contracts.context import Progress
from contracts.errors import ArtifactConflict, ArtifactCorrupt
from sparkle_dagster.artifacts.manifests import decoded
from sparkle_dagster.artifacts.store import ArtifactStore

_NUMBER = re.compile(r"@(?P<gone>gone)?(?P<number>[0-9]+)")


class Transfer(Model):
    """What one copy did."""

    manifest_count: int = Field(default=0, description="Manifests and tombstones that were written.")
    blob_count: int = Field(default=0, description="Stored files that were written.")
    size_bytes: int = 0
    present_count: int = Field(default=0, description="Manifests and tombstones that were there.")


class Difference(Model):
    place: str
    message: str


def copy_store(source: ArtifactStore, target: ArtifactStore, progress: Progress) -> Transfer:
    """Make ``target`` hold all that ``source`` does.

    Raises:
        ArtifactConflict: it holds another manifest under the same number; nothing is written over.
        ArtifactCorrupt, ArtifactMissing: ``source`` is damaged: `sparkle fsck` tells where.
    """
    entries = _entries(source)
    there = {(key, name) for key, name in _entries(target)}
    copied: set[str] = set()
    manifests = blobs = size_bytes = present = 0
    for number, (key, name) in enumerate(entries, 1):
        progress(number, len(entries), f"{number} of {len(entries)} manifests")
        data = source.ref_bytes(key, name)
        body = decoded(data, f"{key} {name}")
        if (key, name) in there:
            if target.ref_bytes(key, name) != data:
                raise ArtifactConflict(
                    f"{key} {name}: the target holds another one; copy into an empty prefix or folder, then compare"
                )
            present += 1
        for digest in body.get("blobs", ()):
            if digest not in copied:
                if not target.has_bytes(digest):
                    size_bytes += target.take(source, digest)
                    blobs += 1
                copied.add(digest)
        if (key, name) not in there:
            target.adopt_ref(key, name, data, body.get("blobs", ()))
            manifests += 1
    return Transfer(manifest_count=manifests, blob_count=blobs, size_bytes=size_bytes, present_count=present)


def differences(
    source: ArtifactStore, target: ArtifactStore, progress: Progress, *, with_bytes: bool
) -> Iterator[Difference]:
    """What ``target`` lacks or has otherwise, and what it has besides.

    Args:
        with_bytes: also read every stored file of ``target`` and compare it with its name.
    """
    entries, there = _entries(source), set(_entries(target))
    seen: set[str] = set()
    for number, (key, name) in enumerate(entries, 1):
        progress(number, len(entries), f"{number} of {len(entries)} manifests")
        data = source.ref_bytes(key, name)
        if (key, name) not in there:
            yield Difference(place=f"{key} {name}", message="only in the first store")
        elif target.ref_bytes(key, name) != data:
            yield Difference(place=f"{key} {name}", message="another one in the second store")
        for digest in decoded(data, f"{key} {name}").get("blobs", ()):
            if digest in seen:
                continue
            seen.add(digest)
            if not target.has_bytes(digest):
                yield Difference(place=f"sha256:{digest}", message="only in the first store")
            elif with_bytes:
                try:
                    target.check_bytes(digest)
                except ArtifactCorrupt as error:
                    yield Difference(place=f"sha256:{digest}", message=str(error))
    for key, name in sorted(there - set(entries)):
        yield Difference(place=f"{key} {name}", message="only in the second store")


def _entries(store: ArtifactStore) -> list[tuple[str, str]]:
    """Key and name, tombstones before manifests and both by number: a copy that stops leaves no holes."""
    return sorted(((entry.key, entry.name) for entry in store.ref_entries()), key=_order)


def _order(entry: tuple[str, str]) -> tuple[str, bool, int]:
    match = _NUMBER.fullmatch(entry[1])
    return entry[0], not (match and match["gone"]), int(match["number"]) if match else 0
