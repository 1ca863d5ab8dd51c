"""How fast artifacts are stored and verified, what a sweep costs, and what large files cost in memory.

    python benchmarks/buckets_and_sweeps.py                    about 8 minutes on two cores
    python benchmarks/buckets_and_sweeps.py --size-mib 2048 --objects 100000 --commits 100000    about 2 hours

Local disk and emulated bucket are measured side by side in one run; the emulator is another process on the same
machine, so its column says what our side costs, not what the service does. Results are kept as
``benchmarks/results/buckets_and_sweeps.json`` with machine, commit and date.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.record import circumstances
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.retention import Inventory, Removal
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.artifacts.sweep import sweep
from sparkle_dagster.execution.bucket_inbox import BucketInbox
from tests.gcs.proxy import Answer, Proxy, Request
from tests.gcs.rig import Rig, rig
from tests.sparkle_dagster.artifacts.gc_race import race

RESULTS = Path(__file__).parent / "results/buckets_and_sweeps.json"
MIB = 2**20


def timed(act: Callable[[], Any]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return {"wall_s": round(time.perf_counter() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}


def throughput(store: ArtifactStore, file: Path) -> dict[str, Any]:
    """Store a file, store it again, verify it, 100 small commits."""
    size_mib = file.stat().st_size / MIB
    ref = store.put(io.BytesIO(b"first"), "text/plain")  # connections, folders
    figures: dict[str, Any] = {"put": timed(lambda: store.put(file, "video/mp4"))}
    ref = store.put(file, "video/mp4")
    figures["verify"] = timed(lambda: store.verify(ref))
    for name in ("put", "verify"):
        figures[name]["mib_per_s"] = round(size_mib / figures[name]["wall_s"], 1)
    document = {"x": ref.model_dump(mode="json")}
    figures["100 commits"] = timed(
        lambda: [store.commit("asset/a", {**document, "n": n}, attempt_id=str(n)) for n in range(100)]
    )
    figures["peak_memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def sweeping(root: Path, objects: int) -> dict[str, Any]:
    """Half of the objects are referred to, half are not."""
    store = LocalArtifactStore(root)
    for number in range(objects):
        ref = store.put(io.BytesIO(str(number).encode()), "text/plain")
        if number % 2:
            store.commit(f"asset/p-{number}", {"x": ref.model_dump(mode="json")}, attempt_id="a")
    swept: list[int] = []

    def act() -> None:
        nothing: Callable[[Inventory], list[Removal]] = lambda _: []  # noqa: E731
        later = time.time() + 60
        done = sweep(store, nothing, lambda _: {}, unused_since=later, names_unused_since=0, dry_run=False)
        swept.append(len(done.blobs))

    figures = timed(act)
    assert swept == [objects - objects // 2]
    return {"objects": objects, **figures, "objects_per_s": round(objects / figures["wall_s"])}


class Listing(Proxy):
    """Answers listings from thin air: so many objects, a thousand a page."""

    count = 0

    def _page(self, request: Request) -> Answer:
        start = request.query.get("pageToken") or request.query.get("startOffset", "")
        first = int(start[-9:-4]) if start.endswith(".wav") else 0
        numbers = range(first, min(first + 1000, self.count))
        prefix = request.query["prefix"]
        items = [
            {
                "name": f"{prefix}v{n:05}.wav",
                "generation": "1",
                "metageneration": "1",
                "size": "1",
                "crc32c": "AAAAAA==",
            }
            | {"crc32c": "AAAAAA==", "updated": "2026-11-25T00:00:00Z"}
            for n in numbers
        ]
        document: dict[str, Any] = {"items": items}
        if numbers.stop < self.count:
            document["nextPageToken"] = f"v{numbers.stop:05}.wav"
        return Answer(200, {"content-type": "application/json"}, json.dumps(document).encode())


def listing(service: Rig, inbox: Path, count: int) -> dict[str, Any]:
    """Every object is known: what a walk costs, and the longest tick with a budget of one second."""
    import sqlite3

    service.proxy.__class__ = Listing
    service.proxy.count = count  # type: ignore[attr-defined]
    inbox.mkdir()
    watched = BucketInbox(service.place("drop"), inbox, max_bytes=10, budget_seconds=1.0)
    (inbox / ".bucket").mkdir()
    with sqlite3.connect(inbox / ".bucket/ledger.sqlite") as ledger:
        ledger.execute("create table seen (name text primary key, generation integer not null) without rowid")
        ledger.executemany("insert into seen values (?, 1)", [(f"v{n:05}.wav",) for n in range(count)])
    ticks: list[float] = []
    started = time.perf_counter()
    while True:
        tick = time.perf_counter()
        fetched = watched.fetch_new()
        ticks.append(time.perf_counter() - tick)
        if fetched.is_complete:
            break
    service.proxy.__class__ = Proxy
    walk = time.perf_counter() - started
    return {"listed": count, "ticks": len(ticks), "longest_tick_s": round(max(ticks), 2), "walk_s": round(walk, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mib", type=int, default=256)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--listed", type=int, default=99_999)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--one", choices=("local", "bucket"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if options.one:
            print(json.dumps(_one(options.one, root, options.size_mib)))
            return
        result: dict[str, Any] = {"size_mib": options.size_mib, **circumstances()}
        for kind in ("local", "bucket"):  # each in a process of its own, for its peak memory
            command = [sys.executable, __file__, "--one", kind, "--size-mib", str(options.size_mib)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            result[kind] = json.loads(done.stdout)
            print(kind, result[kind], flush=True)
        result["sweep"] = sweeping(root / "sweep", options.objects)
        print("sweep", result["sweep"], flush=True)
        with rig() as service:
            result["listing"] = listing(service, root / "inbox", options.listed)
        print("listing", result["listing"], flush=True)
        result["race"] = race(root / "race", options.commits // 8)
        print("race", result["race"], flush=True)
        assert result["race"]["lost"] == [], "the sweep ate what is alive"
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


def _one(kind: str, root: Path, size_mib: int) -> dict[str, Any]:
    file = root / "large"
    with file.open("wb") as stream:
        for number in range(size_mib):
            stream.write(number.to_bytes(4, "big") * (MIB // 4))
    if kind == "local":
        return throughput(LocalArtifactStore(root / "store"), file)
    with rig(root / "emulated") as service:
        return throughput(service.store("bench", root / "copies"), file)


if __name__ == "__main__":
    main()
