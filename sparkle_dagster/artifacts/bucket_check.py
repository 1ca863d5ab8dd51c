"""Check a bucket store: every manifest and every byte, as ``fsck`` does on a disk, with the same findings.

What is found wrong has gone to ``quarantine/`` already: reading it put it there. A repair stores lost bytes again from
files that still have them.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from contracts.context import Progress
from contracts.errors import ArtifactCorrupt, ArtifactMissing, ContractViolation
from sparkle_dagster.artifacts import _reading
from sparkle_dagster.artifacts.blobs import digest_of_blocks
from sparkle_dagster.artifacts.chain import GenerationChain
from sparkle_dagster.artifacts.findings import Finding, Problem, StoreReport
from sparkle_dagster.artifacts.gcs_parts import GcsBlobs
from sparkle_dagster.artifacts.keys import blob_path
from sparkle_dagster.artifacts.scan import Uses

_REPAIR = "run `sparkle fsck --repair`, then make it again"


class BucketCheck:
    """One walk through a workspace's objects."""

    def __init__(self, chain: GenerationChain, blobs: GcsBlobs, progress: Progress) -> None:
        self._chain = chain
        self._blobs = blobs
        self._progress = progress
        self._uses: dict[str, Uses] = {}
        self._findings: list[Finding] = []
        self._manifest_count = self._size_bytes = 0

    def run(self, *, repair: bool, sources: Iterable[Path]) -> StoreReport:
        """Manifests first: what they refer to was stored before them."""
        for key in self._chain.keys(""):
            self._look_at_key(key)
        stored = set(self._blobs.digests())
        for number, digest in enumerate(sorted(stored | set(self._uses)), 1):
            self._look_at_blob(digest)
            self._progress(number, len(stored), f"{number} of {len(stored)} files")
        if repair:
            self._heal(list(sources))
        return StoreReport(
            manifest_count=self._manifest_count,
            blob_count=len(stored),
            size_bytes=self._size_bytes,
            findings=tuple(self._findings),
        )

    def _look_at_key(self, key: str) -> None:
        numbers = self._chain.generations(key)
        for number in numbers:
            self._manifest_count += 1
            is_newest = number == numbers[-1]
            place, keys = f"refs/{key}/@{number}", (key,) if is_newest else ()
            try:
                manifest = self._chain.read(key, number)
            except ArtifactCorrupt as error:
                self._add(Problem.MANIFEST_CORRUPT, place, str(error), keys)
            except ArtifactMissing as error:
                if is_newest:
                    self._add(Problem.MANIFEST_LOST, place, str(error), keys)
            except ContractViolation as error:
                self._add(Problem.MANIFEST_SCHEMA, place, str(error), ())
            else:
                for digest in manifest.blobs:
                    uses = self._uses.setdefault(digest, Uses())
                    (uses.newest_of if is_newest else uses.older_of).add(key)
        for number in sorted(set(range(self._chain.first(key), numbers[-1])) - set(numbers)):
            message = f"expected generations up to {numbers[-1]}, found none with this number"
            self._add(Problem.GENERATION_GAP, f"refs/{key}/@{number}", message, ())

    def _look_at_blob(self, digest: str) -> None:
        keys = tuple(sorted(self._uses.get(digest, Uses()).newest_of))
        try:
            self._size_bytes += self._blobs.check(digest)
        except ArtifactCorrupt as error:
            self._add(Problem.BLOB_CORRUPT, blob_path(digest), str(error), keys)
        except ArtifactMissing as error:
            self._add(Problem.BLOB_MISSING, blob_path(digest), str(error), keys, is_damage=bool(keys))

    def _heal(self, sources: list[Path]) -> None:
        lost = {
            found.place.rpartition("/")[2]: index
            for index, found in enumerate(self._findings)
            if found.problem in {Problem.BLOB_CORRUPT, Problem.BLOB_MISSING}
        }
        for source in sources if lost else ():
            with suppress(OSError), _reading.reading(source) as fd:
                digest, _ = digest_of_blocks(_reading.blocks(fd))
                if (index := lost.pop(digest, None)) is not None:
                    self._blobs.add(source)
                    self._findings[index] = self._findings[index].mended(f"stored again from {source.name}")

    def _add(
        self, problem: Problem, place: str, message: str, keys: tuple[str, ...], *, is_damage: bool = True
    ) -> None:
        remedy = _REPAIR if keys else "nothing to make again"
        self._findings.append(
            Finding(problem=problem, place=place, message=message, remedy=remedy, is_damage=is_damage, keys=keys)
        )
