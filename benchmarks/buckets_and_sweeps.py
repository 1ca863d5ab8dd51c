"""How fast is a large file stored, verified and fetched, on a disk and in a bucket, and in how much memory? What does a
sweep of 100,000 files cost, and a look at a bucket of 100,000 objects?

The bucket is served by processes of the same machine: its rows say what our side costs, not what the service does.
"""

import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.record import keep_tables, timed
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.sweep import sweep
from sparkle_dagster.execution.bucket_inbox import BucketInbox
from tests.gcs.rig import Rig, rig
from tests.gcs.vast import LargeObjects, ManyObjects
from tests.sparkle_dagster.artifacts.large_file import MIB, measured

SIZE_MIB = 2048
OBJECTS = 100_000
REFERRED_TO_BY_EACH = 5
TICK_SECONDS = 1.0


def main() -> None:
    started = time.monotonic()
    tables = {
        f"One file of {SIZE_MIB} MiB, each store in a process of its own": _large_file(),
        f"A sweep of {OBJECTS:,} stored files on a disk, half of them referred to": [_sweep()],
        f"Looking at {OBJECTS:,} objects of a bucket, budget {TICK_SECONDS:g} s a tick": _listing(),
    }
    keep_tables("buckets_and_sweeps", tables, started, command="python -m benchmarks.buckets_and_sweeps")


def _large_file() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = root / "large"
        with file.open("wb") as stream:
            for number in range(SIZE_MIB):
                stream.write(number.to_bytes(4, "big") * (MIB // 4))
        (root / "objects").mkdir()
        found = {"disk": measured(file, root / "disk")}
        with rig(lambda port: LargeObjects(port, folder=root / "objects")) as service:
            found["bucket"] = measured(file, root / "bucket", service.proxy.port)
    return [_row(store, step, steps) for store, steps in found.items() for step in ("put", "verify", "fetch")]


def _row(store: str, step: str, steps: dict[str, dict[str, float]]) -> dict[str, Any]:
    seconds = steps[step]["seconds"]
    return {
        "store": store,
        "step": step,
        "seconds": round(seconds, 1),
        "mib_per_s": round(SIZE_MIB / seconds),
        "ratio_to_sha256": round(seconds / steps["sha256"]["seconds"], 2),
        "memory_mib": steps[step]["memory_mib"],
    }


def _sweep() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalArtifactStore(Path(folder))
        with patch("os.fsync", lambda _: None):  # what is there to be swept need not survive a power cut
            refs = [store.put(io.BytesIO(str(number).encode()), "text/plain") for number in range(OBJECTS)]
            for start in range(0, OBJECTS // 2, REFERRED_TO_BY_EACH):
                some = refs[start : start + REFERRED_TO_BY_EACH]
                document = {"refs": [ref.model_dump(mode="json") for ref in some]}
                store.commit(f"asset/p-{start}", document, attempt_id="a")
        os.sync()

        def swept(*, dry_run: bool) -> int:
            later = time.time() + 60
            done = sweep(store, lambda _: [], lambda _: {}, unused_since=later, names_unused_since=0, dry_run=dry_run)
            return len(done.blobs)

        looking, would_go = timed(lambda: swept(dry_run=True))
        removing, gone = timed(lambda: swept(dry_run=False))
        if not would_go == gone == OBJECTS // 2:
            raise SystemExit(f"expected {OBJECTS // 2} files to go, {would_go} would have gone and {gone} went")
    return {
        "manifests": OBJECTS // 2 // REFERRED_TO_BY_EACH,
        "removed": gone,
        "dry_run_seconds": round(looking, 1),
        "seconds": round(removing, 1),
        "files_per_s": round(OBJECTS / removing),
    }


def _listing() -> list[dict[str, Any]]:
    with rig(lambda port: ManyObjects(port, count=OBJECTS)) as service, tempfile.TemporaryDirectory() as folder:
        return [{"walk": walk, **_walk(service, Path(folder))} for walk in ("all of them are new", "none is")]


def _walk(service: Rig, inbox: Path) -> dict[str, Any]:
    ticks: list[float] = []
    is_complete = False
    while not is_complete:
        watched = BucketInbox(service.place("drop"), inbox, max_bytes=MIB, budget_seconds=TICK_SECONDS)
        seconds, fetched = timed(watched.fetch_new)
        ticks.append(seconds)
        is_complete = fetched.is_complete
    return {
        "ticks": len(ticks),
        "longest_tick_seconds": round(max(ticks), 2),
        "walk_seconds": round(sum(ticks), 1),
        "objects_per_s": round(OBJECTS / sum(ticks)),
    }


if __name__ == "__main__":
    main()
