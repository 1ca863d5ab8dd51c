"""The artifact store on a local disk: the commit protocol behind ``put`` and ``commit``, verified reads.

``put`` returns when the bytes survive a power cut, ``commit`` when the manifest does; a crash anywhere leaves garbage
in ``incoming/`` and nothing else. Not here: retention and sweeping, and who decides what is committed.
"""

import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from contracts.artifacts import ArtifactRef
from contracts.context import Progress
from sparkle_dagster.artifacts import _durable, _reading
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.chain import GenerationChain
from sparkle_dagster.artifacts.disk_errors import typed_errors
from sparkle_dagster.artifacts.findings import StoreReport
from sparkle_dagster.artifacts.fsck import check_store, is_abandoned, remove_abandoned
from sparkle_dagster.artifacts.keys import Layout
from sparkle_dagster.artifacts.local_refs import LocalRefs
from sparkle_dagster.artifacts.names import Names
from sparkle_dagster.artifacts.scratch import Scratch
from sparkle_dagster.artifacts.store import ArtifactStore


class LocalArtifactStore(ArtifactStore):
    """Made again from ``(root, workspace)`` in any process, and pickles as that."""

    def __init__(self, root: Path, workspace: str = "main") -> None:
        self.root = Path(root).absolute()
        self.workspace = workspace
        self.layout = Layout(self.root, workspace)
        self._blobs = BlobArea(self.layout)
        self._refs = LocalRefs(self.layout, self._blobs)
        self._chain = GenerationChain(workspace, self._refs)
        self._names = Names(self.layout, self._blobs)
        self._scratch = Scratch(self.layout.incoming)
        self._is_laid_out = False

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str]]:
        return type(self), (self.root, self.workspace)

    @property
    def local_root(self) -> Path:
        return self.root

    def stage(self, refs: Iterable[ArtifactRef]) -> None:
        """Nothing to do: what is stored is here."""

    def adopt(self, digests: Iterable[str], sources: Iterable[ArtifactRef] = ()) -> None:
        """Nothing to do: what a provider's process put and named is stored."""

    @property
    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self.root).free if self.root.exists() else None

    @property
    def mirror(self) -> ArtifactStore | None:
        return None

    def remove_leftovers(self, *, dry_run: bool) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        with self._errors("look for leftovers"):
            for name in _reading.names_in(self.layout.incoming):
                path = self.layout.incoming / name
                size_bytes = sum(item.lstat().st_size for item in (path, *path.rglob("*")) if not item.is_dir())
                is_dead = is_abandoned(path) if dry_run else remove_abandoned(path)
                found += [(name, size_bytes)] if is_dead else []
        return found

    def check(self, *, repair: bool, sources: Iterable[Path], progress: Progress) -> StoreReport:
        return check_store(self.root, self.workspace, repair=repair, sources=sources, progress=progress)

    def close(self) -> None:
        self._scratch.close()

    def _errors(self, doing: str, place: Path | None = None) -> AbstractContextManager[None]:
        return typed_errors(doing, place or self.root)

    def lay_out(self) -> None:
        if not self._is_laid_out:
            _durable.make_root(self.root)
            for directory in self.layout.directories():
                _durable.make_directory(directory)
            self._is_laid_out = True

    def copies_folder(self) -> Path:
        return self._scratch.directory()
