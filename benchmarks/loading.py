"""How long do the definitions take to load, against importing Dagster alone? Side by side, a process each."""

import resource
import statistics
import subprocess
import sys
import time

from benchmarks.record import PROJECT, keep, timed

REPEATS = 5
STATEMENTS = {
    "import dagster": "import dagster",
    "load the definitions": "import sparkle_dagster.definitions as d; d.defs",
}


def main() -> None:
    started = time.monotonic()
    walls: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    cpus: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(REPEATS + 1):
        for name, statement in STATEMENTS.items():
            before = _cpu_seconds()
            wall, _ = timed(
                lambda statement=statement: subprocess.run([sys.executable, "-c", statement], cwd=PROJECT, check=True)
            )
            walls[name].append(wall)
            cpus[name].append(_cpu_seconds() - before)
    rows = [
        {
            "what": name,
            "wall_seconds": round(statistics.median(walls[name][1:]), 2),
            "cpu_seconds": round(statistics.median(cpus[name][1:]), 2),
            "ratio_of_cpu": round(statistics.median(cpus[name][1:]) / statistics.median(cpus["import dagster"][1:]), 2),
        }
        for name in STATEMENTS
    ]
    keep("loading", rows, started)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
