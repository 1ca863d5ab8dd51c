"""What does a tick of the inbox sensor cost that finds nothing to start: with many files in the inbox, with many past?

The files in the inbox have not settled yet; past ones are productions with their folders under ``admitted/``.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import PROJECT, edit, keep, make_project, timed

COUNTS = (10, 1_000, 100_000)
TICKS = 10
CHUNK = 500


def main() -> None:
    started = time.monotonic()
    rows = [row for place in ("past", "inbox") for row in (_measured_apart(place, count) for count in COUNTS)]
    keep("sensor_tick", rows, started)


def _measured_apart(place: str, count: int) -> dict[str, object]:
    """In a process of its own: an installation is loaded once per process."""
    command = [sys.executable, "-m", "benchmarks.sensor_tick", place, str(count)]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(place: str, count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        edit(project / "configs/tool_registry.yaml", "settle_s: 5", "settle_s: 86400")
        os.chdir(project)
        import dagster as dg

        from sparkle_dagster.defs.home import prepare_home
        from sparkle_dagster.defs.partitions import PRODUCTIONS
        from sparkle_dagster.defs.sensor import build_inbox_sensor
        from sparkle_dagster.workspace import this_workspace

        workspace = this_workspace()
        instance = prepare_home(workspace)
        if place == "past":
            keys = [f"voice-{number:016x}" for number in range(count)]
            for start in range(0, count, CHUNK):
                instance.add_dynamic_partitions(str(PRODUCTIONS.name), keys[start : start + CHUNK])
            for key in keys:
                (workspace.inbox / "admitted" / key).mkdir(parents=True)
        else:
            for number in range(count):
                (workspace.inbox / f"voice{number}.wav").touch()
        sensor = build_inbox_sensor(workspace)
        walls: list[float] = []
        for _ in range(TICKS + 1):
            with dg.build_sensor_context(instance=instance) as context:
                wall, answer = timed(lambda context=context: sensor(context))
            assert isinstance(answer, dg.SkipReason), answer
            walls.append(wall)
        instance.dispose()
    return {"files": count, "where": place, "tick_ms": round(statistics.median(walls[1:]) * 1000, 1)}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
