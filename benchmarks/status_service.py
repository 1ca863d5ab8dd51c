"""How fast ``/status`` answers with 50 productions in flight and 10,000 finished in the service's own projection.

The load comes from ``wrk`` (Debian's package of that name), another process, over loopback; beside it ``/healthz`` of
the same service as the floor. About two minutes.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import PROJECT, keep
from contracts.base import Fidelity
from contracts.events import NodeStatus
from contracts.status import NodeState, ProductionStatus
from sparkle_dagster.observability.service.projection import Projection

IN_FLIGHT, FINISHED = 50, 10_000
SECONDS = 20
CONNECTIONS = 8
NODES = ("upload", "script", "lipsync", "video", "qa", "report")


def main() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("configs", "samples"):
            shutil.copytree(PROJECT / part, folder / part)
        shutil.copy(PROJECT / "workspace.yaml", folder)
        file = folder / "configs/tool_registry.yaml"
        file.write_text(re.sub(r"(status: {host: [^,]+, port: )\d+", r"\g<1>0", file.read_text()))
        seed(folder / ".sparkle/events/status.sqlite")
        rows = measured(folder)
    keep("status_service", rows, began)


def seed(path: Path) -> None:
    """Productions as their events would have left them."""
    projection = Projection(path, NODES)
    for number in range(FINISHED + IN_FLIGHT):
        is_done = number < FINISHED
        state = NodeStatus.SUCCEEDED if is_done else NodeStatus.RUNNING
        nodes = tuple(
            NodeState(
                node_id=node,
                status=state if node == "lipsync" else NodeStatus.SUCCEEDED if is_done else NodeStatus.QUEUED,
                provider="mouth_warp",
                run_id=f"run-{number}",
                started_at="2026-01-02T03:04:05.000+00:00",
                latency_ms=4200,
                fidelity=Fidelity.REAL,
            )
            for node in NODES
        )
        projection.put(
            ProductionStatus(
                production=f"voice-{number:016x}",
                title=f"Take {number}",
                state="succeeded" if is_done else "running",
                run_id=f"run-{number}",
                updated_at=f"2026-01-02T03:04:{number % 60:02d}.000+00:00",
                duration_seconds=7.1,
                nodes=nodes,
            )
        )
    projection.close()


def measured(folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "sparkle_dagster.cli", "serve"]
    service = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        url = address(folder, service)
        return [{"path": path, **load(f"{url}{path}")} for path in ("/healthz", "/status")]
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def address(folder: Path, service: "subprocess.Popen[bytes]") -> str:
    while service.poll() is None:
        file = folder / ".sparkle/service.json"
        if file.is_file():
            time.sleep(3)  # until its first looks are done
            return str(json.loads(file.read_text())["url"])
        time.sleep(0.2)
    raise SystemExit("the service ended before it answered")


def load(url: str) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    shown = {name: re.search(rf"^\s*{name}\s+(\S+)$", text, re.MULTILINE) for name in ("50%", "99%")}
    rate = re.search(r"Requests/sec:\s+(\S+)", text)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        **{f"p{name.rstrip('%')}": match[1] if match else "?" for name, match in shown.items()},
        "requests_per_second": float(rate[1]) if rate else 0.0,
        "failed": int(failed[1]) if failed else 0,
        "connections": CONNECTIONS,
    }


if __name__ == "__main__":
    main()
