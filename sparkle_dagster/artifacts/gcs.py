"""The artifact store in a Cloud Storage bucket: the same promises, objects in place of files.

```
<prefix>/ws/<workspace>/cas/sha256/<aa>/<64 hex>    refs/<key>/@<n>    names/<key>/@ref    quarantine/
```

Objects are created, never written over; a manifest's creation is the commit. ``root`` holds this machine's copies
(an artifact store without manifests): bytes go up from there and are verified there before they are read, and a
provider's process sees nothing but that. Not here: requests and their repetition (``_bucket``).
"""

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from contracts.artifacts import ArtifactRef
from contracts.context import Progress
from contracts.errors import ArtifactCorrupt, ArtifactMissing
from sparkle_dagster.artifacts import _reading
from sparkle_dagster.artifacts.bucket_check import BucketCheck
from sparkle_dagster.artifacts.bucket_errors import typed_bucket_errors
from sparkle_dagster.artifacts.chain import GenerationChain
from sparkle_dagster.artifacts.disk_errors import typed_errors
from sparkle_dagster.artifacts.findings import StoreReport
from sparkle_dagster.artifacts.gcs_parts import GcsBlobs, GcsNames, GcsRefs
from sparkle_dagster.artifacts.keys import checked_workspace
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.store import ArtifactStore

if TYPE_CHECKING:
    from sparkle_dagster.artifacts._bucket import Bucket


@dataclass(frozen=True)
class BucketPlace:
    """Where a bucket store is, and how to reach it. Pickles; holds no credentials.

    Args:
        client: gives a ``google.cloud.storage.Client`` in any process.
    """

    bucket: str
    prefix: str
    client: Callable[[], Any]
    deadline_seconds: float = 300.0
    pause_seconds: float = 0.2

    def __str__(self) -> str:
        return f"bucket {self.bucket}" + (f", {self.prefix}" if self.prefix else "")

    def below(self, folder: str) -> "Bucket":
        """The objects of a folder (no slash at its end) below the prefix."""
        from sparkle_dagster.artifacts._bucket import Bucket

        prefix = "".join(f"{part}/" for part in (self.prefix.strip("/"), folder) if part)
        return Bucket(self.client, self.bucket, prefix, self.deadline_seconds, self.pause_seconds)


class Connection:
    """The objects of one workspace, reached at first use and again after a fork."""

    def __init__(self, place: BucketPlace, folder: str) -> None:
        self.place = place
        self._folder = folder
        self._owner_pid = 0
        self._bucket: Bucket | None = None

    @property
    def bucket(self) -> "Bucket":
        if self._bucket is None or self._owner_pid != os.getpid():
            self._bucket, self._owner_pid = self.place.below(self._folder), os.getpid()
        return self._bucket


class GcsArtifactStore(ArtifactStore):
    """One workspace of a bucket store.

    Args:
        root: folder for this machine's copies; losing it loses nothing.
    """

    least_grace_seconds = 3600.0  # a commit ends within its deadline

    def __init__(self, place: BucketPlace, root: Path, workspace: str = "main") -> None:
        self.place = place
        self.workspace = checked_workspace(workspace)
        self._mirror = LocalArtifactStore(root, workspace)
        connection = Connection(place, f"ws/{self.workspace}")
        blobs = GcsBlobs(connection, self._mirror)
        self._blobs = blobs
        self._own_blobs = blobs
        self._refs = GcsRefs(connection, blobs)
        self._chain = GenerationChain(workspace, self._refs)
        self._names = GcsNames(connection, blobs)

    def __reduce__(self) -> tuple[type[Self], tuple[BucketPlace, Path, str]]:
        return type(self), (self.place, self._mirror.root, self.workspace)

    @property
    def free_bytes(self) -> int | None:
        return None

    @property
    def mirror(self) -> LocalArtifactStore:
        """A provider's process reads and writes here; losing it loses nothing."""
        return self._mirror

    def remove_leftovers(self, *, dry_run: bool) -> list[tuple[str, int]]:
        return self._mirror.remove_leftovers(dry_run=dry_run)

    @property
    def local_root(self) -> Path:
        return self._mirror.root

    def stage(self, refs: Iterable[ArtifactRef]) -> None:
        for digest in dict.fromkeys(ref.digest for ref in refs):
            self._fetch(digest)
            for key, derived in self.derived_from(digest).items():
                if self._mirror.named(key) != derived:
                    with suppress(ArtifactCorrupt, ArtifactMissing):  # it can be derived again
                        self._fetch(derived.digest)
                        self._mirror.name(key, derived)

    def adopt(self, digests: Iterable[str], sources: Iterable[ArtifactRef] = ()) -> None:
        for digest in digests:
            self._adopt(digest)
        for digest in dict.fromkeys(ref.digest for ref in sources):
            for key, derived in self._mirror.derived_from(digest).items():
                if self.named(key) != derived:
                    with suppress(ArtifactCorrupt, ArtifactMissing):
                        self._adopt(derived.digest)
                        self.name(key, derived)

    def check(self, *, repair: bool, sources: Iterable[Path], progress: Progress) -> StoreReport:
        with self._errors("check the store"):
            return BucketCheck(self._chain, self._own_blobs, progress).run(repair=repair, sources=sources)

    def close(self) -> None:
        self._mirror.close()

    def _fetch(self, digest: str) -> None:
        with self._errors(f"fetch sha256:{digest}"):
            self.lay_out()
            _reading.close(self._blobs.open_verified(digest)[0])

    def _adopt(self, digest: str) -> None:
        with self._errors(f"store sha256:{digest}"):
            self._own_blobs.adopt(digest)

    @contextmanager
    def _errors(self, doing: str, place: Path | None = None) -> Generator[None]:
        with typed_errors(doing, place or self._mirror.root), typed_bucket_errors(doing, str(self.place)):
            yield

    def lay_out(self) -> None:
        self._mirror.lay_out()

    def copies_folder(self) -> Path:
        return self._mirror.copies_folder()
