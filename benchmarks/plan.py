"""What a plan over a thousand productions costs, and a production of which every node is found stored.

The thousand are copies of one finished production under other keys. Prints a table and keeps it as
``benchmarks/results/plan.json`` with machine, commit and date; about two minutes on a quiet machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.pipeline import circumstances  # noqa: E402
from tests.cheap import make_cheap_project, second_of_sound  # noqa: E402
from tests.project import Project  # noqa: E402

PRODUCTIONS = 1000
REPEATS = 3
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
    with tempfile.TemporaryDirectory() as folder:
        project = make_cheap_project(Path(folder) / "project")
        key = project.sparkle("run", second_of_sound(project.root / "voice.wav"))["production"]
        rows = {"replay_of_four_stored_nodes": replays(project, key), "plan": plans(project, key)}
    result = {**rows, **circumstances()}
    (PROJECT / "benchmarks/results/plan.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, values in rows.items():
        print(name)
        for label, value in values.items():
            print(f"  {label:<34} {value}")


def replays(project: Project, key: str) -> dict[str, Any]:
    """Wall of `sparkle rerun --from script`, every node found stored, beside importing Dagster; in turns."""
    imports: list[float] = []
    walls: list[float] = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import dagster"], check=True)
        imports.append(time.perf_counter() - started)
        started = time.perf_counter()
        project.sparkle("rerun", key, "--from", "script")
        walls.append(time.perf_counter() - started)
    assert {node["status"] for node in project.sparkle("show", key)["nodes"]} == {"succeeded", "cached"}
    dagster, wall = statistics.median(imports), statistics.median(walls)
    return {
        "import_dagster_seconds": round(dagster, 2),
        "wall_seconds": round(wall, 2),
        "beyond_importing_dagster_seconds": round(wall - dagster, 2),
    }


def plans(project: Project, key: str) -> dict[str, Any]:
    store = project.store
    documents = {
        asset: store.read(f"{asset}/{key}").document
        for asset in ("upload", "script", "aligned_video", "assembled_video", "qa_report", "report")
    }
    for number in range(PRODUCTIONS - 1):
        for asset, document in documents.items():
            store.commit(f"{asset}/copy-{number:016x}", document, attempt_id="copy")
    environment = {**project.environment, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(project.root)])}
    found: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", PLANNED],
            cwd=project.root,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        count, wall, spent = done.stdout.split()
        assert int(count) == PRODUCTIONS
        found.append((float(wall), float(spent)))
    wall, spent = min(found)
    return {"productions": PRODUCTIONS, "wall_seconds": round(wall, 2), "processor_seconds": round(spent, 2)}


if __name__ == "__main__":
    main()
