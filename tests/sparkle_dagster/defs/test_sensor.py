"""A tick of the inbox sensor that finds nothing does the same work after any number of uploads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import make_project

WORK_OF_A_TICK = """
import json, os, sys, tracemalloc
import dagster as dg
from sqlalchemy import Engine, event
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.defs.sensor import build_inbox_sensor
from sparkle_dagster.workspace import this_workspace

workspace = this_workspace()
instance = prepare_home(workspace)
keys = [f"voice-{number:016x}" for number in range(int(sys.argv[1]))]
if keys:
    instance.add_dynamic_partitions(str(PRODUCTIONS.name), keys)
for key in keys:
    (workspace.inbox / "admitted" / key).mkdir(parents=True)
sensor = build_inbox_sensor(workspace)
work = {"calls": 0, "statements": 0}

def count(frame, kind, _):
    work["calls"] += kind in ("call", "c_call")

def tick():
    with dg.build_sensor_context(instance=instance) as context:
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason), answer

tick()  # what is done once is done
event.listen(Engine, "before_cursor_execute", lambda *_: work.update(statements=work["statements"] + 1))
tracemalloc.start()
tick()
work["peak_bytes"] = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
sys.setprofile(count)
tick()
sys.setprofile(None)
print(json.dumps(work))
"""
PAST = 2_000


def work_of_a_tick(project: Path, past: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", WORK_OF_A_TICK, str(past)], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    work: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return work


@pytest.mark.requirement("U7")
def test_a_tick_that_finds_nothing_reads_no_past_upload(tmp_path: Path) -> None:
    first = work_of_a_tick(make_project(tmp_path / "first").root, 0)
    later = work_of_a_tick(make_project(tmp_path / "later").root, PAST)
    assert first["calls"] > 0
    assert later["statements"] == first["statements"]
    assert later["calls"] < first["calls"] + PAST / 10
    assert later["peak_bytes"] < first["peak_bytes"] + PAST * 10
