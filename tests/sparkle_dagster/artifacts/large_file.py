"""One large file stored, verified and fetched by a process that does nothing else; tells time and memory of each step.

``measured`` starts that process; a bucket is served by its caller.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sparkle_dagster.artifacts.gcs import BucketPlace, GcsArtifactStore
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.store import ArtifactStore
from tests.gcs.rig import EMULATED, client_at

MIB = 2**20
STEPS = ("put", "verify", "fetch")


def measured(file: Path, root: Path, port: int = 0, *, whole: bool = False) -> dict[str, dict[str, float]]:
    """Step -> ``seconds`` and ``memory_mib``, by which the process grew at most.

    Args:
        root: a folder for the store, or for this machine's copies of a bucket.
        port: of a bucket's service; 0 is a store on this disk.
        whole: only read the file into memory, for comparison.
    """
    command = [sys.executable, "-m", __name__, str(file), str(root), str(port), *(["whole"] if whole else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _steps(file: Path, root: Path, port: int) -> dict[str, Callable[[], Any]]:
    """``fetch`` is by another machine where the store is a bucket."""
    store = _store(root / "here", port)
    other = _store(root / "there", port) if port else store
    made = {"ref": store.put(Path(__file__), "text/x-python")}
    other.fetch(made["ref"])  # now connections, folders and modules are there

    def put() -> None:
        made["ref"] = store.put(file, "video/mp4")

    return {
        "sha256": lambda: hashlib.file_digest(file.open("rb"), "sha256"),
        "put": put,
        "verify": lambda: store.verify(made["ref"]),
        "fetch": lambda: other.fetch(made["ref"]),
    }


def _store(root: Path, port: int) -> ArtifactStore:
    if not port:
        return LocalArtifactStore(root)
    return GcsArtifactStore(BucketPlace(EMULATED, "large", partial(client_at, port)), root)


def _grown(step: Callable[[], Any]) -> dict[str, float]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, started = _memory_kib("VmRSS"), time.perf_counter()
    step()
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3), "memory_mib": round((_memory_kib("VmHWM") - before) / 1024, 1)}


def _memory_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    path, place = Path(sys.argv[1]), Path(sys.argv[2])
    steps = {"whole": path.read_bytes} if "whole" in sys.argv else _steps(path, place, int(sys.argv[3]))
    print(json.dumps({name: _grown(step) for name, step in steps.items()}))
