"""The home: made once, however many processes find it empty at the same moment."""

import subprocess
import sys
from pathlib import Path

from tests.project import make_project

STARTERS = """
import os, sys, traceback
import sparkle_dagster.definitions  # what every command loads is loaded once, here
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.workspace import this_workspace

ready, go = os.pipe()
children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)  # returns when the parent closes its end: all begin at once
        try:
            instance = prepare_home(this_workspace())
            instance.add_dynamic_partitions("productions", [str(os.getpid())])
            assert str(os.getpid()) in instance.get_dynamic_partitions("productions")
            assert instance.get_runs() == [] and instance.all_instigator_state() == []
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(go)
sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children))
"""


def test_twenty_processes_that_start_on_an_empty_home_all_work(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    done = subprocess.run(
        [sys.executable, "-c", STARTERS, "20"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with project.instance() as instance:
        assert len(instance.get_dynamic_partitions("productions")) == 20
