"""What does a lane add to an attempt, at home and on a Ray cluster, the first time and later? How soon does it end?

The providers have next to no work: one is forked for each attempt, one stays loaded. The cluster is this machine, with
a second network and host name where the system allows. What a node costs under each executor is told by ``plan``.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from benchmarks.record import PROJECT, keep
from contracts.errors import ProviderTimeout
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.faults.processes import kill, wait_for
from tests.ray_cluster import TOKEN, TOKEN_NAME, cluster
from tests.sparkle_dagster.registry.conftest import PLATFORM, PROVIDERS, SMALL, processes_named

LATER = 20
DEADLINE_SECONDS = 2
LANES = {"local": "cpu", "ray": "gpu"}
CALLS = f"""
import json, sys, time
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
config, lane, provider, request = sys.argv[1:]
task = ProviderRegistry.from_config(config).resolve("lipsync", lane=lane, provider=provider)
seconds = []
for _ in range(1 + {LATER}):
    started = time.perf_counter()
    task.run(LipSyncRequest.parse_json(request))
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))
"""


def main() -> None:
    started = time.monotonic()
    os.environ.update({TOKEN_NAME: TOKEN, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN})
    with (
        tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder,
        cluster(Path(folder)) as found,
        found.gpu_machine(0),
        tempfile.TemporaryDirectory() as project,
    ):
        bench = _Bench(Path(project), found.address)
        attempts = [bench.attempts(kind, provider) for kind in LANES for provider in ("forked", "warm")]
        endings = [*map(bench.hang, LANES), *bench.losses()]
        bench.close()
    keep("lanes", [*attempts, *endings], started)


class _Bench:
    """One project; its lane ``cpu`` is at home, ``gpu`` on the cluster."""

    def __init__(self, project: Path, address: str) -> None:
        self._mark = f"hanging-{project.name}"
        self._config = project / "configs/tool_registry.yaml"
        (project / "configs/qa").mkdir(parents=True)
        (project / "configs/qa/web.yaml").write_text("checks:\n  silence: {fail_above: 0.5}\n")
        lane = f"kind: ray, address: '{address}', shared_store: true, token: {{secret: 'env:{TOKEN_NAME}'}}"
        text = PLATFORM.replace("settings:\n", f"settings:\n  lanes: {{gpu: {{{lane}}}}}\n")
        text += "lipsync: {providers: [noop]}\n" + PROVIDERS
        text += f"    forked: {{use: '{SMALL}:HandsOn'}}\n"
        text += f"    warm: {{use: '{SMALL}:StaysLoaded', count_file: {project / 'loads'}, marker: {self._mark}}}\n"
        self._config.write_text(text)
        self._environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        self._registry = ProviderRegistry.from_config(self._config)
        store = self._registry.store()
        self._request = LipSyncRequest(
            audio_track=store.put(PROJECT / "samples/voice_short.wav", "audio/wav"),
            video_stub=store.put(PROJECT / "samples/presenter.png", "image/png"),
        )
        self._hanging = self._request.model_copy(update={"metadata": {"how": "hangs"}})

    def attempts(self, kind: str, provider: str) -> dict[str, Any]:
        """In two processes, one after the other: the first finds nothing running."""
        (first, *_), (second, *later) = (self._calls(kind, provider) for _ in range(2))
        return {
            "lane": kind,
            "provider": provider,
            "first_ever_seconds": round(first, 2),
            "first_of_a_process_seconds": round(second, 2),
            "later_ms": round(statistics.median(later) * 1000, 1),
        }

    def hang(self, kind: str) -> dict[str, Any]:
        """From the deadline until a provider that hangs has ended, with all its processes."""
        task = self._registry.resolve("lipsync", lane=LANES[kind], provider="warm", timeout_seconds=DEADLINE_SECONDS)
        started = time.perf_counter()
        with suppress(ProviderTimeout):
            task.run(self._hanging)
        return _ending(kind, "a hang, from its deadline", time.perf_counter() - started - DEADLINE_SECONDS)

    def losses(self) -> Iterator[dict[str, Any]]:
        """From a kill -9 until the slot is free for the next."""
        yield self._loss("provider", lambda caller, actor: _parent(processes_named(self._mark)[0]))
        yield self._loss("actor", lambda caller, actor: actor)
        yield self._loss("caller", lambda caller, actor: caller)

    def _loss(self, whose: str, victim: Callable[[int, int], int]) -> dict[str, Any]:
        caller = subprocess.Popen(self._command("ray", "warm", self._hanging), env=self._environment, stderr=DEVNULL)
        wait_for("it hangs", lambda: processes_named(self._mark))
        assert kill(victim(caller.pid, self._slot["process_id"]))
        started = time.perf_counter()
        wait_for("the slot is free", lambda: not self._slot.get("is_busy", True))
        seconds = time.perf_counter() - started
        caller.wait()
        return _ending("ray", f"its {whose} killed", seconds)

    def close(self) -> None:
        self._registry.remote_lanes["gpu"].restart(force=True)
        self._registry.residents.end(60)

    @property
    def _slot(self) -> dict[str, Any]:
        (slot,) = self._registry.remote_lanes["gpu"].slots()
        return slot

    def _calls(self, kind: str, provider: str) -> list[float]:
        command = self._command(kind, provider, self._request)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True)
        seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
        return seconds

    def _command(self, kind: str, provider: str, request: LipSyncRequest) -> list[str]:
        return [sys.executable, "-c", CALLS, str(self._config), LANES[kind], provider, request.model_dump_json()]


def _ending(kind: str, what: str, seconds: float) -> dict[str, Any]:
    return {"lane": kind, "ending": what, "seconds": round(seconds, 2)}


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


if __name__ == "__main__":
    main()
