"""Which of Dagster's stock executors runs the steps, and what a node's lane means to it; decided when definitions load.

Not here: where a provider runs; that is its lane's, in ``sparkle_dagster.registry``.
"""

from importlib import import_module
from typing import Any

import dagster as dg

from contracts.errors import ConfigError
from sparkle_dagster.defs.run_lock import holding
from sparkle_dagster.workflow.graph import Workflow
from sparkle_dagster.workspace import Workspace

GPU_POOL = "gpu"
"""Its slots are held across runs."""
PRELOAD = ["sparkle_dagster.defs.warm"]


def build_executor(workspace: Workspace) -> dg.ExecutorDefinition:
    """``auto``: in one process while the workflow is a chain, several as soon as branches can overlap."""
    name = executor_name(workspace)
    lanes = workspace.registry.settings.lanes
    slots = lanes.cpu.slots + lanes.gpu.slots
    if name == "in_process":
        return holding(dg.in_process_executor)
    if name == "multiprocess":
        config = {"max_concurrent": slots, "start_method": {"forkserver": {"preload_modules": PRELOAD}}}
        return holding(dg.multiprocess_executor).configured(config)
    if name == "k8s":
        return holding(_k8s_job_executor()).configured({"max_concurrent": slots})
    raise ConfigError(
        f"SPARKLE_EXECUTOR: expected auto, in_process, multiprocess or k8s, got {name!r}", file=".env_sample"
    )


def lane_arguments(workspace: Workspace, lane: str) -> dict[str, Any]:
    """What a node's lane means to Dagster, as arguments of its asset: the op's tags, and the pool whose slots it takes.

    On Kubernetes a GPU step's pod asks for a GPU, unless the lane is on other machines, which then have it.
    """
    tags: dict[str, Any] = {"sparkle/lane": lane}
    if lane != "gpu":
        return {"op_tags": tags}
    if executor_name(workspace) == "k8s" and workspace.registry.settings.lanes.gpu.kind == "local":
        tags["dagster-k8s/config"] = {"container_config": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    return {"op_tags": tags, "pool": GPU_POOL}


def executor_name(workspace: Workspace) -> str:
    """What ``SPARKLE_EXECUTOR`` means for this workflow."""
    chosen = workspace.settings.executor
    if chosen != "auto":
        return chosen
    return "multiprocess" if has_branches(workspace.workflow) else "in_process"


def retry_policy(workspace: Workspace) -> dg.RetryPolicy | None:
    """For one thing only: a step process that was lost. Typed errors end a step without a Dagster retry.

    None where steps have no process of their own: Dagster would answer a cancelled run by starting the step again.
    """
    return None if executor_name(workspace) == "in_process" else dg.RetryPolicy(max_retries=1)


def has_branches(workflow: Workflow) -> bool:
    """Two nodes exist of which neither waits for the other."""
    before: dict[str, set[str]] = {}
    for node in workflow.nodes:
        direct = {*node.data_upstream, *node.order_upstream} - {"upload"}
        before[node.id] = direct.union(*(before[other] for other in direct))
    ids = [node.id for node in workflow.nodes]
    return any(first not in before[second] for position, second in enumerate(ids) for first in ids[:position])


def _k8s_job_executor() -> dg.ExecutorDefinition:
    try:
        executor: dg.ExecutorDefinition = import_module("dagster_k8s").k8s_job_executor
    except ImportError as error:
        raise ConfigError(
            "SPARKLE_EXECUTOR: k8s needs dagster-k8s; pip install 'sparkle[k8s]'", file=".env_sample"
        ) from error
    return executor
