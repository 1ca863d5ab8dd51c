"""A separately installed package brings a task of its own; two YAML files name it, no Python of ours changes."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.test_switches import two_seconds
from tests.project import SOURCE, Project

MODULE = '''
from contracts.base import Fidelity
from contracts.production import Metrics, TaskRequest, TaskResult
from contracts.script import ScriptResult
from contracts.tasks import Task


class CountRequest(TaskRequest):
    script: ScriptResult


class CountMetrics(Metrics):
    phone_count: int = 0


class CountResult(TaskResult):
    metrics: CountMetrics = CountMetrics()


class CountTask(Task[CountRequest, CountResult]):
    """How much is said."""

    capability = "count"
    request_type = CountRequest
    result_type = CountResult


class Counter(CountTask):
    def run(self, request):
        return CountResult(metrics=CountMetrics(phone_count=len(request.script.phones)))


class NoCounter(CountTask):
    def run(self, request):
        return CountResult(fidelity=Fidelity.PASSTHROUGH)
'''
ENTRY_POINTS = """
[sparkle.tasks]
CountTask = stranger_count:CountTask
[sparkle.providers]
count.counter = stranger_count:Counter
count.noop = stranger_count:NoCounter
"""
NODE = """
  - id: count
    task: CountTask
    inputs: {script: script.script}
    outputs: [phone_count]
"""


@dataclass(frozen=True)
class ProjectWithPackages(Project):
    """A project whose Python also finds the packages in ``site``."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.root / "site")}


def install(site: Path) -> None:
    """What pip leaves behind of a package: its module, and metadata with entry points."""
    metadata = site / "stranger_count-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "stranger_count.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger-count\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)


def changed_files(project: Project) -> set[str]:
    """Files of the project that differ from what is shipped."""
    names = [path.relative_to(project.root) for path in (project.root / "configs").rglob("*") if path.is_file()]
    return {str(name) for name in names if (project.root / name).read_bytes() != (SOURCE / name).read_bytes()}


@pytest.mark.requirement("S5", "S25")
def test_node_of_a_strangers_package_runs_by_configuration_alone(project: Project) -> None:
    project = ProjectWithPackages(project.root)
    install(project.root / "site")
    workflow = project.root / "configs/pipeline/workflow.yaml"
    workflow.write_text(workflow.read_text().rstrip() + NODE)
    project.edit("configs/tool_registry.yaml", "\nqa: {", "\ncount: {enabled: true, providers: [counter]}\nqa: {")
    assert changed_files(project) == {"configs/pipeline/workflow.yaml", "configs/tool_registry.yaml"}
    voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
    answer = project.sparkle("run", voice, "--profile", "draft")
    counted = project.result("phone_count", answer["production"])
    phones = project.result("script", answer["production"])["phones"]
    assert counted["metrics"]["phone_count"] == len(phones) > 5
    assert "phone_count" in project.materialized(answer["run_id"])


def test_task_of_a_package_that_is_not_installed_is_refused_by_name(project: Project) -> None:
    workflow = project.root / "configs/pipeline/workflow.yaml"
    workflow.write_text(workflow.read_text().rstrip() + NODE)
    done = project.command("validate")
    assert done.returncode == 1
    assert "workflow.yaml:" in done.stderr
    assert "CountTask" in done.stderr
    assert "LipSyncTask" in done.stderr, "the known tasks are named"
    assert "Traceback" not in done.stderr
