"""How long a production takes, stage by stage, against the length of the voice; and what the platform adds.

Prints a table and keeps it as ``benchmarks/results/pipeline.json`` with machine, commit and date.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
REPEATS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = {"production": production(Path(folder)), "loading": loading()}
    result = {**rows, **circumstances()}
    target = PROJECT / "benchmarks/results/pipeline.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    for name, values in rows.items():
        print(name)
        for key, value in values.items():
            print(f"  {key:<34} {value}")


def production(folder: Path) -> dict[str, Any]:
    """The shipped voice and photo through every node, the best of a few runs from a new process each."""
    for name in ("configs", "samples"):
        shutil.copytree(PROJECT / name, folder / name)
    shutil.copy(PROJECT / "workspace.yaml", folder)
    samples = folder / "samples"
    first = _sparkle(folder, "run", str(samples / "voice.wav"), "--transcript", str(samples / "voice.txt"))
    key = first["production"]
    walls: list[float] = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        _sparkle(folder, "rerun", key, "--from", "script")
        walls.append(time.perf_counter() - started)
    summary = _sparkle(folder, "show", key)
    voice_seconds = summary["artifacts"]["upload.audio_track"]["media"]["duration_seconds"]
    stages = {node["node_id"]: node["latency_ms"] / 1000 for node in summary["nodes"] if node["node_id"] != "upload"}
    wall = min(walls)
    return {
        "voice_seconds": round(voice_seconds, 2),
        **{f"{name}_seconds": round(seconds, 2) for name, seconds in stages.items()},
        "wall_seconds": round(wall, 2),
        "wall_per_voice_second": round(wall / voice_seconds, 2),
        "outside_the_nodes_seconds": round(wall - sum(stages.values()), 2),
    }


def loading() -> dict[str, Any]:
    """Loading the definitions against importing Dagster alone, side by side."""
    pairs = [(_timed("import dagster"), _timed("import sparkle_dagster.definitions")) for _ in range(REPEATS)]
    dagster, definitions = (statistics.median(values) for values in zip(*pairs, strict=True))
    return {
        "import_dagster_seconds": round(dagster, 2),
        "load_definitions_seconds": round(definitions, 2),
        "ratio": round(definitions / dagster, 2),
    }


def circumstances() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores",
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _sparkle(folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "sparkle_dagster.cli", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _timed(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=PROJECT, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
