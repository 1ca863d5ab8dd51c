"""Check a workspace's store, and mend what can be mended without making anything again.

A repair never deletes what was stored: wrong bytes and manifests go to ``quarantine/``. Where a manifest was, a marker
is put, so that an older generation never comes back silently; the next commit follows it.
"""

import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from contracts.context import Progress
from contracts.errors import ArtifactCorrupt, ArtifactError, ArtifactMissing
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea, digest_of_blocks
from sparkle_dagster.artifacts.disk_errors import typed_errors
from sparkle_dagster.artifacts.findings import Finding, Problem, StoreReport
from sparkle_dagster.artifacts.keys import Layout
from sparkle_dagster.artifacts.manifests import lost_marker
from sparkle_dagster.artifacts.scan import Scan, Uses


def _unwatched(done: float, total: float, note: str = "") -> None:
    """Progress that nobody watches."""


def check_store(
    root: Path,
    workspace: str = "main",
    *,
    repair: bool = False,
    sources: Iterable[Path] = (),
    progress: Progress = _unwatched,
) -> StoreReport:
    """Read everything once and compare.

    Args:
        repair: also quarantine, remove and heal; the report then says what was done and what is left to do.
        sources: files that may hold lost bytes, such as uploads that were kept; taken by content, never by name.

    Raises:
        ArtifactError: the store cannot be read or written at all.
    """
    layout = Layout(Path(root).absolute(), workspace)
    scan = Scan(layout, progress)
    with typed_errors("check the store", layout.root):
        scan.run()
        findings = _Repair(scan, layout, sources).run() if repair else scan.findings
    return StoreReport(
        manifest_count=scan.manifest_count,
        blob_count=scan.blob_count,
        size_bytes=scan.size_bytes,
        live_count=scan.live_count,
        findings=tuple(findings),
    )


class _Repair:
    def __init__(self, scan: Scan, layout: Layout, sources: Iterable[Path]) -> None:
        self._scan = scan
        self._layout = layout
        self._blobs = BlobArea(layout)
        self._sources = list(sources)

    def run(self) -> list[Finding]:
        """Leftovers last: a copy that a dead process made may be the last whole one."""
        leftovers = [found for found in self._scan.findings if found.problem is Problem.LEFTOVER]
        self._sources += [path for found in leftovers for path in _files_in(self._layout.home / found.place)]
        rest = [found for found in self._scan.findings if found.problem is not Problem.LEFTOVER]
        return [self._mend(finding) for finding in [*rest, *leftovers]]

    def _mend(self, finding: Finding) -> Finding:
        path = self._layout.home / finding.place
        match finding.problem:
            case Problem.BLOB_CORRUPT | Problem.BLOB_MISSING:
                return self._mend_blob(finding, path.name)
            case Problem.MANIFEST_CORRUPT | Problem.MANIFEST_MISPLACED:
                return self._replace_by_marker(finding, path)
            case Problem.GENERATION_GAP:
                self._mark(path, "its manifest was not there when the store was repaired", replace=False)
                return finding.mended("a marker was put there; newer generations are untouched")
            case Problem.NAME_DAMAGED:
                name = f"name.{uuid.uuid4().hex[:8]}"
                _durable.move(path, self._layout.quarantine / name)
                return finding.mended(f"moved to quarantine/{name}")
            case Problem.LEFTOVER:
                return finding.mended("removed" if remove_abandoned(path) else "somebody removed it already")
            case _:
                return finding

    def _mend_blob(self, finding: Finding, digest: str) -> Finding:
        moved = ""
        try:
            _reading.close(self._blobs.open_verified(digest)[0])
            return finding.mended("somebody stored the bytes again meanwhile")
        except ArtifactCorrupt:
            moved = "" if self._blobs.has(digest) else "moved to quarantine"
        except ArtifactMissing:
            pass
        source = self._source_of(digest)
        if source is not None:
            self._blobs.add(source)
            return finding.mended(f"stored again from {source.name}")
        left = {"is_damage": bool(finding.keys) or self._blobs.has(digest), "repaired": moved}
        return finding.model_copy(update=left)

    def _source_of(self, digest: str) -> Path | None:
        """A file with exactly these bytes; only files of the right size are read."""
        sizes_bytes = self._scan.uses.get(digest, Uses()).told_sizes
        for path in self._sources:
            with suppress(OSError), _reading.reading(path) as fd:
                is_likely = not sizes_bytes or _reading.stamp(fd)[0] in sizes_bytes
                if is_likely and digest_of_blocks(_reading.blocks(fd))[0] == digest:
                    return path
        return None

    def _replace_by_marker(self, finding: Finding, path: Path) -> Finding:
        name = f"manifest.{uuid.uuid4().hex[:8]}"
        _durable.keep_a_link(path, self._layout.quarantine / name)
        self._mark(path, f"it was damaged, a repair moved it to quarantine/{name}", replace=True)
        left = {"is_damage": bool(finding.keys), "repaired": f"moved to quarantine/{name}, a marker is in its place"}
        return finding.model_copy(update=left)

    def _mark(self, path: Path, why: str, *, replace: bool) -> None:
        """One step, so that there is no moment at which an older generation is the newest."""
        key, number = str(path.parent.relative_to(self._layout.refs)), int(path.name.removeprefix("@"))
        with _durable.PrivateFile(self._layout.incoming) as private, _durable.locked(self._layout.gc_lock):
            private.write(lost_marker(self._layout.home.name, key, number, why))
            private.seal()
            if replace:
                private.replace(path)
            elif not private.publish(path):
                raise ArtifactError(f"{key} @{number}: somebody wrote it meanwhile; check again")


def _files_in(path: Path) -> list[Path]:
    if _reading.is_regular(path):
        return [path]
    return [path / name for name in _reading.names_in(path)]


def is_abandoned(path: Path) -> bool:
    """Whether the owner of a private file or folder is dead."""
    with _durable.abandoned(path) as answer:
        return answer


def remove_abandoned(path: Path) -> bool:
    """Remove it if its owner is dead."""
    with _durable.abandoned(path) as is_abandoned:
        if not is_abandoned:
            return False
        if path.is_dir():
            shutil.rmtree(path)
        else:
            _durable.remove(path)
        return True
