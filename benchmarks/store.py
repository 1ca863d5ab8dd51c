"""What does a durable, verified store cost over SHA-256 alone? Put, verify and fetch of one large and of many small
files."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from benchmarks.record import keep, timed
from sparkle_dagster.artifacts.local import LocalArtifactStore

LARGE_BYTES = 512 * 2**20
SMALL_BYTES, SMALL_COUNT = 4096, 200
REPEATS = 3


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = [_large(Path(folder)), _small(Path(folder))]
    keep("store", rows, started)


def _large(folder: Path) -> dict[str, object]:
    file = folder / "large"
    hashing: list[float] = []
    putting: list[float] = []
    verifying: list[float] = []
    for number in range(REPEATS):
        with file.open("wb") as stream:
            for _ in range(LARGE_BYTES // 2**20):
                stream.write(os.urandom(2**20))
        store = LocalArtifactStore(folder / f"store{number}")
        with file.open("rb") as stream:
            hashing.append(timed(lambda stream=stream: hashlib.file_digest(stream, "sha256"))[0])
        wall, ref = timed(lambda store=store: store.put(file, "video/mp4"))
        putting.append(wall)
        verifying.append(timed(lambda store=store, ref=ref: store.verify(ref))[0])
    hash_seconds, put_seconds, verify_seconds = min(hashing), min(putting), min(verifying)
    return {
        "what": f"one file of {LARGE_BYTES // 2**20} MiB",
        "sha256_seconds": round(hash_seconds, 2),
        "put_seconds": round(put_seconds, 2),
        "verify_seconds": round(verify_seconds, 2),
        "put_ratio": round(put_seconds / hash_seconds, 2),
        "verify_ratio": round(verify_seconds / hash_seconds, 2),
    }


def _small(folder: Path) -> dict[str, object]:
    files = [folder / f"small{number}" for number in range(SMALL_COUNT)]
    for file in files:
        file.write_bytes(os.urandom(SMALL_BYTES))
    store = LocalArtifactStore(folder / "store_of_small")
    hash_seconds, _ = timed(lambda: [hashlib.sha256(file.read_bytes()) for file in files])
    put_seconds, refs = timed(lambda: [store.put(file, "application/json") for file in files])
    verify_seconds, _ = timed(lambda: [store.verify(ref) for ref in refs])
    return {
        "what": f"{SMALL_COUNT} files of {SMALL_BYTES // 1024} KiB, each synced to the disk",
        "sha256_seconds": round(hash_seconds, 4),
        "put_seconds": round(put_seconds, 2),
        "verify_seconds": round(verify_seconds, 3),
        "put_ms_each": round(put_seconds / SMALL_COUNT * 1000, 1),
        "verify_ms_each": round(verify_seconds / SMALL_COUNT * 1000, 2),
    }


if __name__ == "__main__":
    main()
