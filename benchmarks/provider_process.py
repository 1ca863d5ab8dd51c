"""What does an attempt cost over the work of the provider itself: forked, and by a resident process?

The provider is the lip-sync no-op, which has next to no work of its own, so what is measured is the host.
"""

import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import PROJECT, keep, timed
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.registry.process_host import Listeners, Place, run_attempt
from sparkle_dagster.registry.residents import Residents
from sparkle_dagster.registry.wire import AttemptOrder, ProviderSpec

REPEATS = 20
NO_OP = "providers.lipsync.noop:NoOpLipSyncProvider"


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measured(Path(folder), is_warm=is_warm) for is_warm in (False, True)]
    keep("provider_process", rows, started)


def _measured(folder: Path, *, is_warm: bool) -> dict[str, Any]:
    store = LocalArtifactStore(folder / "store")
    request = LipSyncRequest(
        audio_track=store.put(PROJECT / "samples/voice_short.wav", "audio/wav"),
        video_stub=store.put(PROJECT / "samples/presenter.png", "image/png"),
    )
    order = AttemptOrder(
        provider=ProviderSpec(capability="lipsync", name="noop", target=NO_OP, options={}, warm=is_warm),
        inspector=None,
        request=request.model_dump(mode="json"),
        store_root=folder / "store",
        workspace="main",
    )
    place = Place(folder / "scratch", Residents(folder, idle_seconds=60))
    listeners = Listeners(None, logging.getLogger("benchmark"), None)

    def attempt() -> float:
        return timed(lambda: run_attempt(order, place=place, timeout_seconds=300, listeners=listeners))[0]

    first, later = attempt(), [attempt() for _ in range(REPEATS)]
    place.residents.end(60)
    return {
        "provider_process": "resident" if is_warm else "forked",
        "first_seconds": round(first, 3),
        "later_ms": round(statistics.median(later) * 1000, 1),
    }


if __name__ == "__main__":
    main()
