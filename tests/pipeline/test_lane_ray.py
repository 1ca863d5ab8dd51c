"""Productions whose lip-sync runs on a Ray cluster: the same bytes as at home, and an end whatever is killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.faults.processes import is_running, kill, wait_for
from tests.pipeline.test_switches import two_seconds
from tests.project import Project, make_project
from tests.ray_cluster import TOKEN, TOKEN_NAME, Machines, two_gpu_machines
from tests.sparkle_dagster.registry.conftest import processes_named

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # Ray's own
]
REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"
STUCK = '''

class Stuck(Mouth):
    """Hangs once where there is a file ``hang``, with a process of its own."""

    class Options(Mouth.Options):
        hang: str

    def run(self, request):
        import subprocess, sys, time
        from pathlib import Path

        if Path(self.options.hang).exists():
            Path(self.options.hang).rename(self.options.hang + "s")
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", self.options.hang])
            time.sleep(600)
        return super().run(request)
'''


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with two_gpu_machines() as found:
        yield found


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_NAME, TOKEN)


def on_the_gpu_lane(project: Project, machines: Machines | None) -> Project:
    """With its lip-sync there; the lane is on the cluster, or at home."""
    project.edit(WORKFLOW, "lane: auto ", "lane: gpu ")
    if machines is not None:
        machines.start()
        facts = f"kind: ray, address: '{machines.cluster.address}', slots: 1, shared_store: true"
        facts += f", token: {{secret: 'env:{TOKEN_NAME}'}}"
        project.edit(REGISTRY, "gpu: {kind: local, slots: 1}", f"gpu: {{{facts}}}")
    return project


def data_versions(project: Project, production: str) -> dict[str, str]:
    """Of its assets but the report, which tells times and places."""
    assets = project.generations(production).keys() - {"report"}
    documents = {asset: project.store.read(f"{asset}/{production}").document for asset in assets}
    return {asset: document["data_version"] for asset, document in documents.items() if "data_version" in document}


def attempts(project: Project, production: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.store.read(f"aligned_video/{production}").document["record"]["attempts"]
    return found


@pytest.mark.requirement("U3", "S44")
def test_a_production_on_the_ray_lane_has_the_artifacts_of_one_at_home(tmp_path: Path, machines: Machines) -> None:
    made: dict[str, dict[str, str]] = {}
    for kind, where in (("local", None), ("ray", machines)):
        project = on_the_gpu_lane(make_project(tmp_path / kind), where)
        voice = two_seconds(project.root / "samples/voice_short.wav", project.root / "voice.wav")
        production = project.sparkle("run", voice, "--profile", "draft")["production"]
        made[kind] = data_versions(project, production)
        (attempt,) = attempts(project, production)
        assert (attempt["placement"]["lane"], attempt["placement"]["kind"]) == ("gpu", kind)
        assert attempt["provider"] == "mouth_warp"
        project.command("lanes", "--restart", "--force")
    assert {"aligned_video", "assembled_video", "qa_report"} <= made["local"].keys()
    assert made["ray"] == made["local"]


class Doomed:
    """A production that hangs in its lip-sync, on the cluster."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mark = str(project.root / "hang")
        Path(self.mark).touch()
        self.voice = second_of_sound(project.root / "voice.wav")
        command = [sys.executable, "-m", "sparkle_dagster.cli", "run", str(self.voice), "--json"]
        self.command = subprocess.Popen(
            command, cwd=project.root, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        (self.child,) = wait_for("it hangs", lambda: processes_named(self.mark))

    @property
    def slot(self) -> dict[str, Any]:
        gpu = next(lane for lane in self.project.sparkle("lanes")["lanes"] if lane["lane"] == "gpu")
        return {**gpu["actors"][0], "steps": gpu["steps"]}

    def finished(self) -> str:
        """The production, which is finished after all."""
        output, _ = self.command.communicate(timeout=300)
        assert self.command.returncode == 0, output
        production: str = json.loads(output)["production"]
        lost, good = attempts(self.project, production)
        assert (lost["error"], good["error"]) == ("ProviderCrashed", "")
        assert lost["placement"]["kind"] == "ray"
        return production


@pytest.fixture
def doomed(tmp_path: Path, machines: Machines) -> Iterator[Doomed]:
    project = make_cheap_project(tmp_path / "project")
    (project.root / "cheap.py").write_text((project.root / "cheap.py").read_text() + STUCK)
    project.edit(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [stuck]}")
    stuck = f"    stuck: {{use: 'cheap:Stuck', hang: '{project.root / 'hang'}'}}\n"
    project.edit(REGISTRY, "  lipsync:\n", "  lipsync:\n" + stuck)
    project.edit(WORKFLOW, "retries: {max: 1, delay_s: 5}", "retries: {max: 1, delay_s: 0}")
    found = Doomed(on_the_gpu_lane(project, machines))
    yield found
    machines.switch_off_the_lost()
    project.command("lanes", "--restart", "--force")
    found.command.kill()
    found.command.communicate()
    wait_for("nothing of it is left", lambda: not processes_named(str(project.root)))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.requirement("S44")
def test_a_production_whose_provider_is_killed_is_finished(doomed: Doomed) -> None:
    assert kill(parent(doomed.child))
    doomed.finished()
    assert not processes_named(doomed.mark)
    assert not doomed.slot["is_busy"]


@pytest.mark.requirement("S44")
def test_a_production_whose_actor_is_killed_is_finished(doomed: Doomed) -> None:
    assert kill(doomed.slot["process_id"])
    doomed.finished()
    wait_for("its processes are gone", lambda: not processes_named(doomed.mark))
    assert not doomed.slot["is_busy"]


@pytest.mark.requirement("S44")
def test_a_production_whose_machine_is_lost_is_finished_on_another(doomed: Doomed, machines: Machines) -> None:
    actor = doomed.slot["process_id"]
    machines.lose(actor)
    doomed.finished()
    wait_for("its processes are gone", lambda: not processes_named(doomed.mark) and not is_running(actor))
    assert not doomed.slot["is_busy"]


@pytest.mark.requirement("S44")
def test_a_production_that_is_killed_itself_has_failed_and_frees_its_slots(doomed: Doomed) -> None:
    doomed.command.kill()
    doomed.command.wait()
    wait_for("its processes are gone", lambda: not processes_named(doomed.mark))
    slot = doomed.slot
    assert slot["steps"] == []
    assert not slot["is_busy"]
    with doomed.project.instance() as instance:
        (run,) = instance.get_runs()
        assert run.status.value == "FAILURE"
    assert doomed.project.sparkle("rerun", run.tags["dagster/partition"], "--from", "lipsync")["success"]
