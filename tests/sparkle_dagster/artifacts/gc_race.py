"""Eight writers against a sweep that grants no grace; used by a test and, longer, by a benchmark.

Each writer owns one key: what it committed last is alive, and it looks for it after every commit. Older generations
go by policy, so that there is always something to sweep.
"""

import io
import json
import multiprocessing
import time
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from contracts.errors import ArtifactMissing
from contracts.tool_registry import RetentionSettings
from sparkle_dagster.artifacts import _durable
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.retention import Policy, removals
from sparkle_dagster.artifacts.sweep import sweep

WRITERS = 8


def write(root: Path, writer: int, commits: int, results: Any, has_swept: Event) -> None:
    """Commit again and again; tell how many, how often bytes had to be put again, and what was lost.

    It goes on until something was swept: writers that share the lock may keep the sweep waiting for long.
    """
    store, again, lost = LocalArtifactStore(root), 0, []
    key = f"asset/writer-{writer}"
    number = 0
    while number < commits or not has_swept.is_set():
        data = f"{writer} {number}".encode() * 20
        while True:
            ref = store.put(io.BytesIO(data), "text/plain")
            try:
                manifest = store.commit(key, {"ref": ref.model_dump(mode="json")}, attempt_id=str(number))
                break
            except ArtifactMissing:  # swept between put and commit: nothing was acknowledged
                again += 1
        if not store.exists(ref) or store.read(key).generation != manifest.generation:
            lost.append(f"{key} @{manifest.generation}")
        number += 1
    results.put({"commits": number, "again": again, "lost": lost})


def sweep_on(root: Path, has_swept: Event, stop: Event, results: Any, *, with_lock: bool) -> None:
    """Sweep without a pause until told to stop."""
    if not with_lock:
        real = _durable.locked

        @contextmanager
        def only_shared(path: Path, *, exclusive: bool = False) -> Any:
            if exclusive:
                yield
                return
            with real(path):
                yield

        _durable.locked = only_shared  # type: ignore[assignment]
    store, swept, sweeps = LocalArtifactStore(root), 0, 0
    rules = RetentionSettings(generations=1, grace_s=0)
    while not stop.is_set():
        done = sweep(
            store,
            lambda inventory: removals(inventory, Policy(rules, time.time())),
            lambda removal: {"why": removal.why, "how": "run it again"},
            unused_since=time.time() + 60,
            names_unused_since=0,
            dry_run=False,
        )
        swept += len(done.blobs)
        sweeps += 1
        if swept:
            has_swept.set()
    results.put({"swept": swept, "sweeps": sweeps})


def race(root: Path, commits_each: int, *, with_lock: bool = True) -> dict[str, Any]:
    """Totals of one race."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    has_swept, stop = context.Event(), context.Event()
    sweeper = context.Process(target=sweep_on, args=(root, has_swept, stop, results), kwargs={"with_lock": with_lock})
    writers = [
        context.Process(target=write, args=(root, number, commits_each, results, has_swept))
        for number in range(WRITERS)
    ]
    for process in (sweeper, *writers):
        process.start()
    told = [results.get() for _ in writers]
    stop.set()
    swept = results.get()
    for process in (sweeper, *writers):
        process.join()
    return {
        "commits": sum(item["commits"] for item in told),
        "put_again": sum(item["again"] for item in told),
        "lost": [place for item in told for place in item["lost"]],
        **swept,
    }


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(race(Path(folder), int(sys.argv[1]), with_lock="--without-lock" not in sys.argv)))
