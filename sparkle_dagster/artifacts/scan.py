"""Look at everything that a workspace's store holds, and change nothing. Not here: what to do about it (``fsck``)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.context import Progress
from contracts.errors import ArtifactCorrupt, ContractViolation
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import digest_of_blocks
from sparkle_dagster.artifacts.findings import Finding, Problem
from sparkle_dagster.artifacts.keys import Layout, checked_key
from sparkle_dagster.artifacts.manifests import Manifest, decoded, sizes_of, why_lost

_GENERATION = re.compile(r"@([1-9][0-9]{0,17})")
_GONE = re.compile(r"@gone([1-9][0-9]{0,17})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RERUN = "make it again"
_REPAIR = "run `sparkle fsck --repair`"
_STRAY = "nothing here reads it: move it away, or leave it"


@dataclass
class Uses:
    """Who refers to stored bytes."""

    told_sizes: dict[int, set[str]] = field(default_factory=dict)
    """Size in bytes as manifests tell it -> keys whose newest one does."""
    newest_of: set[str] = field(default_factory=set)
    older_of: set[str] = field(default_factory=set)


class Scan:
    """One walk through a store; ``findings`` and the counts are filled as it goes."""

    def __init__(self, layout: Layout, progress: Progress) -> None:
        self._layout = layout
        self._progress = progress
        self.findings: list[Finding] = []
        self.uses: dict[str, Uses] = {}
        self.manifest_count = self.blob_count = self.size_bytes = self.live_count = 0

    def run(self) -> None:
        """Manifests first: what they refer to was stored before them, so a writer at work gives no false finding."""
        self._look_at_keys("", self._layout.refs)
        self._look_at_blobs()
        self._look_at_names("", self._layout.names)
        self._look_at_leftovers()

    def _look_at_keys(self, key: str, directory: Path) -> None:
        numbers: list[int] = []
        first = 1
        for name in _reading.names_in(directory):
            path, match = directory / name, _GENERATION.fullmatch(name)
            if match and key:
                numbers.append(int(match[1]))
            elif key and (gone := _GONE.fullmatch(name)):
                first = max(first, 1 + int(gone[1]))
            elif name.startswith("@") or _reading.is_regular(path) or not _is_key(f"{key}/{name}".lstrip("/")):
                self._add(Problem.STRAY_FILE, path, "expected manifests named @1, @2 ..", _STRAY, is_damage=False)
            else:
                self._look_at_keys(f"{key}/{name}".lstrip("/"), path)
        newest = max(numbers, default=0)
        for number in numbers:
            self._look_at_manifest(key, number, is_newest=number == newest)
        for number in sorted(set(range(first, min(newest, first + 100_000))) - set(numbers)):
            message = f"expected generations 1 to {newest}, found none with this number"
            self._add(Problem.GENERATION_GAP, directory / f"@{number}", message, f"{_REPAIR}: it puts a marker there")

    def _look_at_manifest(self, key: str, number: int, *, is_newest: bool) -> None:
        path, keys = self._layout.refs / key / f"@{number}", (key,) if is_newest else ()
        self.manifest_count += 1
        self._progress(0, 0, f"{self.manifest_count} manifests")
        remedy = (
            f"{_REPAIR}: it goes to quarantine; then {_RERUN}" if is_newest else f"{_REPAIR}: it goes to quarantine"
        )
        try:
            with _reading.reading(path) as fd:
                body = decoded(b"".join(_reading.blocks(fd)), f"{key} @{number}")
            if (body.get("workspace"), body.get("key"), body.get("generation")) != (
                self._layout.home.name,
                key,
                number,
            ):
                message = f"expected generation {number} of {key}, got {body.get('generation')} of {body.get('key')}"
                self._add(Problem.MANIFEST_MISPLACED, path, message, remedy, keys)
            elif (why := why_lost(body)) is not None:
                if is_newest:
                    self._add(Problem.MANIFEST_LOST, path, why, _RERUN, keys)
            else:
                self._note_uses(Manifest.parse(body), is_newest=is_newest)
        except ArtifactCorrupt as error:
            self._add(Problem.MANIFEST_CORRUPT, path, str(error), remedy, keys)
        except ContractViolation as error:
            advice = "the bytes are as they were written: read it with the version that wrote it, or upgrade this one"
            self._add(Problem.MANIFEST_SCHEMA, path, str(error), advice)
        except OSError as error:
            self._add(Problem.UNREADABLE, path, str(error), "check the disk and the rights of this user", keys)

    def _note_uses(self, manifest: Manifest, *, is_newest: bool) -> None:
        for digest in manifest.blobs:
            uses = self.uses.setdefault(digest, Uses())
            (uses.newest_of if is_newest else uses.older_of).add(manifest.key)
        for digest, size_bytes in sizes_of(manifest.document):
            told = self.uses.setdefault(digest, Uses()).told_sizes.setdefault(size_bytes, set())
            told |= {manifest.key} if is_newest else set()

    def _look_at_blobs(self) -> None:
        stored = dict(self._stored_paths())
        total_bytes = sum(_size_of(path) for path in stored.values())
        for digest, path in stored.items():
            self._look_at_blob(digest, path)
            self._progress(self.size_bytes, total_bytes, f"{self.blob_count} of {len(stored)} files")
        for digest in sorted(set(self.uses) - set(stored)):
            self._add_lost(Problem.BLOB_MISSING, digest, "expected these bytes, got nothing")

    def _stored_paths(self) -> Iterator[tuple[str, Path]]:
        for shard in _reading.names_in(self._layout.blobs):
            for name in _reading.names_in(self._layout.blobs / shard):
                path = self._layout.blobs / shard / name
                if _DIGEST.fullmatch(name) and name[:2] == shard and _reading.is_regular(path):
                    yield name, path
                else:
                    self._add(Problem.STRAY_FILE, path, "expected a file named by its SHA-256", _STRAY, is_damage=False)

    def _look_at_blob(self, digest: str, path: Path) -> None:
        self.blob_count += 1
        uses = self.uses.get(digest, Uses())
        try:
            with _reading.reading(path) as fd:
                found, size_bytes = digest_of_blocks(_reading.blocks(fd))
        except FileNotFoundError:  # a reader found it wrong meanwhile, and moved it
            self._add_lost(Problem.BLOB_MISSING, digest, "it went to quarantine while the store was checked")
            return
        except OSError as error:
            self._add_lost(Problem.UNREADABLE, digest, str(error))
            return
        self.size_bytes += size_bytes
        if found != digest:
            told = f" and {' or '.join(map(str, uses.told_sizes))} bytes" if uses.told_sizes else ""
            self._add_lost(
                Problem.BLOB_CORRUPT,
                digest,
                f"expected sha256:{digest}{told}, got sha256:{found} and {size_bytes} bytes",
            )
        elif wrong := {size: keys for size, keys in uses.told_sizes.items() if size != size_bytes}:
            keys = tuple(sorted(set().union(*wrong.values())))
            message = f"the bytes are whole and {size_bytes}, a manifest says {' and '.join(map(str, wrong))}"
            remedy = _RERUN if keys else "only older generations say so: nothing to make again"
            self._add(Problem.SIZE_DIFFERS, path, message, remedy, keys, is_damage=bool(keys))

    def _add_lost(self, problem: Problem, digest: str, message: str) -> None:
        uses = self.uses.get(digest, Uses())
        keys, older = tuple(sorted(uses.newest_of)), ", ".join(sorted(uses.older_of))
        if keys:
            remedy = f"{_REPAIR}, then {_RERUN}"
        elif older:
            remedy = f"only older generations refer to it ({older}): nothing to make again"
        else:
            remedy = f"{_REPAIR}; nothing refers to it"
        is_damage = bool(keys) or problem is not Problem.BLOB_MISSING
        self._add(problem, self._layout.blob(digest), message, remedy, keys, is_damage=is_damage)

    def _look_at_names(self, key: str, directory: Path) -> None:
        for name in _reading.names_in(directory):
            path = directory / name
            if name != "@ref":
                self._look_at_names(f"{key}/{name}".lstrip("/"), path)
                continue
            try:
                with _reading.reading(path) as fd:
                    body = decoded(b"".join(_reading.blocks(fd)), key)
                ArtifactRef.parse(body.get("ref"))
            except (ArtifactCorrupt, ContractViolation, OSError) as error:
                self._add(
                    Problem.NAME_DAMAGED, path, str(error), f"{_REPAIR}; it is made again when needed", is_damage=False
                )

    def _look_at_leftovers(self) -> None:
        for name in _reading.names_in(self._layout.incoming):
            path = self._layout.incoming / name
            with _durable.abandoned(path) as is_abandoned:
                if is_abandoned:
                    self._add(Problem.LEFTOVER, path, "its owner is dead", f"{_REPAIR}: it is removed", is_damage=False)
                else:
                    self.live_count += 1

    def _add(
        self,
        problem: Problem,
        path: Path,
        message: str,
        remedy: str,
        keys: tuple[str, ...] = (),
        *,
        is_damage: bool = True,
    ) -> None:
        place = str(path.relative_to(self._layout.home))
        self.findings.append(
            Finding(problem=problem, place=place, message=message, remedy=remedy, is_damage=is_damage, keys=keys)
        )


def _is_key(key: str) -> bool:
    try:
        checked_key(key)
    except ContractViolation:
        return False
    return True


def _size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
