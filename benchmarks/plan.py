"""What does the platform itself cost: a node under each executor, made or found stored, a production of which every
node is found, and a plan over a thousand productions?

Providers are the cheap ones of the tests; the thousand are copies of one finished production under other keys.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import PROJECT, keep, timed
from tests.cheap import make_cheap_project, second_of_sound
from tests.project import Project

PRODUCTIONS = 1000
REPEATS = 3
EXECUTORS = ("in_process", "multiprocess")
MADE = ("script", "aligned_video", "assembled_video", "qa_report")
PLANNED = """
import time
from sparkle_dagster.execution.plan import Planner
from sparkle_dagster.workspace import load_workspace
workspace = load_workspace()
keys = [key.removeprefix("upload/") for key in workspace.store.keys("upload/")]
started, spent = time.perf_counter(), time.process_time()
planner = Planner(workspace)
for key in keys:
    planner.plan(key)
print(len(keys), time.perf_counter() - started, time.process_time() - spent)
"""


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        project = make_cheap_project(Path(folder) / "project")
        key = project.sparkle("run", second_of_sound(project.root / "voice.wav"))["production"]
        nodes = [_per_node(project, key, executor, force) for executor in EXECUTORS for force in (True, False)]
        rows = [*nodes, _replay(project, key), _plan(project, key)]
    keep("plan", rows, started)


def _per_node(project: Project, key: str, executor: str, force: bool) -> dict[str, Any]:
    """Wall of the whole run without the attempts of its providers, per node; the report counts as one."""
    environment = {**project.environment, "SPARKLE_EXECUTOR": executor}
    command = [
        sys.executable,
        "-m",
        "sparkle_dagster.cli",
        "rerun",
        key,
        "--from",
        "script",
        *(["--force"] if force else []),
    ]
    found: list[float] = []
    for _ in range(REPEATS):
        subprocess.run(command, cwd=project.root, env=environment, check=True, capture_output=True)
        with project.instance() as instance:
            (record,) = instance.get_run_records(limit=1)
            steps = instance.get_run_step_stats(record.dagster_run.run_id)
        assert record.start_time is not None
        assert record.end_time is not None
        inside = sum(_attempts_seconds(project, key))
        found.append((record.end_time - record.start_time - inside) / len(steps))
    what = f"a node, {executor}, {'made' if force else 'found stored'}"
    return {"what": what, "seconds": round(statistics.median(found), 3)}


def _attempts_seconds(project: Project, key: str) -> list[float]:
    records = [project.store.read(f"{asset}/{key}").document["record"] for asset in MADE]
    return [attempt["latency_ms"] / 1000 for record in records for attempt in record["attempts"]]


def _replay(project: Project, key: str) -> dict[str, Any]:
    """Wall of `sparkle rerun --from script`, every node found stored, beside importing Dagster; in turns."""
    imports: list[float] = []
    walls: list[float] = []
    for _ in range(REPEATS):
        imports.append(timed(lambda: subprocess.run([sys.executable, "-c", "import dagster"], check=True))[0])
        walls.append(timed(lambda: project.sparkle("rerun", key, "--from", "script"))[0])
    dagster, wall = statistics.median(imports), statistics.median(walls)
    what = "four nodes found stored, whole command beyond importing Dagster"
    return {"what": what, "seconds": round(wall - dagster, 2), "import_dagster_seconds": round(dagster, 2)}


def _plan(project: Project, key: str) -> dict[str, Any]:
    store = project.store
    documents = {asset: store.read(f"{asset}/{key}").document for asset in ("upload", *MADE, "report")}
    for number in range(PRODUCTIONS - 1):
        for asset, document in documents.items():
            store.commit(f"{asset}/copy-{number:016x}", document, attempt_id="copy")
    environment = {**project.environment, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(project.root)])}
    command = [sys.executable, "-c", PLANNED]
    found: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True, check=True)
        count, wall, spent = done.stdout.split()
        assert int(count) == PRODUCTIONS
        found.append((float(wall), float(spent)))
    wall, spent = min(found)
    return {"what": f"a plan over {PRODUCTIONS} productions", "seconds": round(wall, 2), "cpu_seconds": round(spent, 2)}


if __name__ == "__main__":
    main()
