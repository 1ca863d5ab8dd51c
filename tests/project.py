"""A copy of the shipped configuration in a fresh folder, used from outside as a person would: by its commands."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from sparkle_dagster.artifacts.local import LocalArtifactStore

SOURCE = Path(__file__).parent.parent
_TICK = """
import json
import sys
import dagster as dg
from sparkle_dagster.definitions import defs
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.workspace import this_workspace
instance = prepare_home(this_workspace())
# Called as it is: Dagster's own evaluation looks for partitions that the same answer asks for.
found = defs.resolve_sensor_def(sys.argv[1])(dg.build_sensor_context(instance, cursor=sys.argv[2] or None))
if not isinstance(found, dg.SensorResult):
    is_request = isinstance(found, dg.RunRequest)
    found = dg.SensorResult(run_requests=[found]) if is_request else dg.SensorResult(skip_reason=found)
requests = [
    {
        "key": item.run_key,
        "production": item.partition_key,
        "config": item.run_config,
        "tags": dict(item.tags),
        "assets": [key.path[-1] for key in item.asset_selection or ()],
    }
    for item in found.run_requests or ()
]
skipped = found.skip_reason.skip_message if found.skip_reason else None
print(json.dumps({"requests": requests, "skipped": skipped, "cursor": found.cursor}))
"""


@dataclass(frozen=True)
class Project:
    """``root`` holds configs/ and samples/; state goes to ``root/.sparkle``."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / ".sparkle"

    @property
    def store(self) -> LocalArtifactStore:
        return LocalArtifactStore(self.home / "store")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this process, with none of Sparkle's or Dagster's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKLE_", "DAGSTER_"))}
        return {**kept, "DAGSTER_HOME": str(self.home / "dagster")}

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """`sparkle <arguments>`, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "sparkle_dagster.cli", *map(str, arguments)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def sparkle(self, *arguments: str | Path) -> Any:
        """`sparkle <arguments> --json` that must succeed; its answer."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def tick(self, sensor: str, cursor: str = "") -> dict[str, Any]:
        """What one look of a sensor asks for, as a daemon would have it: ``{requests, skipped, cursor}``."""
        done = subprocess.run(
            [sys.executable, "-c", _TICK, sensor, cursor],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a configuration file; it must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} does not contain {old!r}"
        path.write_text(text.replace(old, new))

    def result(self, asset: str, production: str) -> dict[str, Any]:
        document: dict[str, Any] = self.store.read(f"{asset}/{production}").document["result"]
        return document

    def generations(self, production: str) -> dict[str, int]:
        """Newest generation of every asset of a production."""
        keys = [key for key in self.store.keys("") if key.endswith("/" + production)]
        return {key.split("/")[0]: max(self.store.generations(key)) for key in keys}

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.home / "dagster")) as instance:
            yield instance

    def materialized(self, run_id: str) -> list[str]:
        """Assets that a run materialized, from the event log."""
        with self.instance() as instance:
            entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return [entry.dagster_event.asset_key.path[-1] for entry in entries if entry.dagster_event]


def make_project(root: Path) -> Project:
    """The shipped files, with two differences: the status service takes any free port, since many projects live on one
    machine in tests, and a draft, the quickest to make, is reviewed as well."""
    for name in ("configs", "samples"):
        shutil.copytree(SOURCE / name, root / name)
    shutil.copy(SOURCE / "workspace.yaml", root)
    project = Project(root)
    project.edit("configs/tool_registry.yaml", "port: 3030", "port: 0")
    project.edit("configs/pipeline/workflow.yaml", "    when: \"production.profile != 'draft'\"", "    #")
    return project
