"""What the multiprocess executor preloads is really there in its steps, and what a lane means on Kubernetes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dagster_k8s import k8s_job_executor
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job, get_user_defined_k8s_config

from contracts.errors import ConfigError
from sparkle_dagster.defs.assets import build_node_assets
from sparkle_dagster.defs.executors import build_executor
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import Project, make_project

STEP_THAT_LOOKS_AROUND = """
import json, os, sys
import dagster as dg
from sparkle_dagster.defs.executors import build_executor
from sparkle_dagster.workspace import this_workspace

@dg.op(out={})
def look_around():
    warm = sys.modules.get("sparkle_dagster.defs.warm")
    with open("seen.json", "w") as stream:
        json.dump({"loaded_in": warm and warm.LOADED_IN, "parent": os.getppid(), "own": os.getpid()}, stream)

@dg.job(executor_def=build_executor(this_workspace()))
def looks_around():
    look_around()
"""
RUN_IT = """
import dagster as dg
from looking import looks_around
from sparkle_dagster.defs.home import prepare_home
from sparkle_dagster.workspace import this_workspace
with prepare_home(this_workspace()) as instance:
    result = dg.execute_job(dg.reconstructable(looks_around), instance)
assert result.success
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def on_kubernetes(project: Project, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SPARKLE_EXECUTOR", "k8s")
    project.edit("configs/pipeline/workflow.yaml", "lane: auto", "lane: gpu")
    return load_workspace(project.root)


def pod_of(workspace: Workspace, asset: str) -> dict[str, Any]:
    """The container that dagster-k8s would start for an asset's step."""
    assets = {item.key.path[-1]: item for item in build_node_assets(workspace)}
    config = get_user_defined_k8s_config(assets[asset].op.tags)
    job = construct_dagster_k8s_job(DagsterK8sJobConfig(job_image="sparkle"), ["dagster"], "step", config)
    container: dict[str, Any] = job.to_dict()["spec"]["template"]["spec"]["containers"][0]
    return container


@pytest.mark.requirement("S44")
def test_steps_are_forked_from_a_process_that_has_loaded_everything(project: Project) -> None:
    (project.root / "looking.py").write_text(STEP_THAT_LOOKS_AROUND)
    done = subprocess.run(
        [sys.executable, "-c", RUN_IT],
        cwd=project.root,
        env={**project.environment, "SPARKLE_EXECUTOR": "multiprocess", "PYTHONPATH": str(project.root)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((project.root / "seen.json").read_text())
    assert seen["loaded_in"] == seen["parent"], "the preload failed, which Python does not say"
    assert seen["loaded_in"] != seen["own"]


@pytest.mark.requirement("S44", "U3")
def test_a_gpu_step_on_kubernetes_asks_for_a_gpu(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = on_kubernetes(project, monkeypatch)
    assert build_executor(workspace).name == k8s_job_executor.name
    assert pod_of(workspace, "aligned_video")["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert pod_of(workspace, "script")["resources"]["limits"] is None


@pytest.mark.requirement("S44", "U3")
def test_one_tag_is_a_pools_slot_a_rays_share_of_a_gpu_and_a_pods_gpu(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = on_kubernetes(project, monkeypatch)
    assets = {item.key.path[-1]: item.op for item in build_node_assets(workspace)}
    assert (assets["aligned_video"].pool, assets["script"].pool) == ("gpu", None)
    assert assets["aligned_video"].tags["sparkle/lane"] == "gpu"
    project.edit(
        "configs/tool_registry.yaml",
        "gpu: {kind: local, slots: 1}",
        "gpu: {kind: ray, address: 'head:1', shared_store: true, gpus_per_slot: 0.5}",
    )
    workspace = load_workspace(project.root)
    assert pod_of(workspace, "aligned_video")["resources"]["limits"] is None, "the cluster has the GPU, not the pod"
    assert workspace.registry.remote_lanes["gpu"].actor_options(0)["num_gpus"] == 0.5


def test_a_gpu_step_elsewhere_carries_nothing_of_kubernetes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARKLE_EXECUTOR", raising=False)
    project.edit("configs/pipeline/workflow.yaml", "lane: auto", "lane: gpu")
    tags = {item.key.path[-1]: item.op.tags for item in build_node_assets(load_workspace(project.root))}
    assert tags["aligned_video"] == {"sparkle/lane": "gpu"}


def test_an_unknown_executor_is_refused_by_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKLE_EXECUTOR", "k9s")
    with pytest.raises(ConfigError, match=r"expected auto, in_process, multiprocess or k8s, got 'k9s'"):
        build_executor(load_workspace(project.root))
