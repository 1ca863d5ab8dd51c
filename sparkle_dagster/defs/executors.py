"""Which of Dagster's stock executors runs the steps; decided when the definitions load."""

import dagster as dg

from contracts.errors import ConfigError
from sparkle_dagster.defs.run_lock import holding
from sparkle_dagster.workflow.graph import Workflow
from sparkle_dagster.workspace import Workspace

PRELOAD = ["sparkle_dagster.defs.warm"]


def build_executor(workspace: Workspace) -> dg.ExecutorDefinition:
    """``auto``: in one process while the workflow is a chain, several as soon as branches can overlap."""
    name = executor_name(workspace)
    if name == "in_process":
        return holding(dg.in_process_executor)
    if name == "multiprocess":
        slots = workspace.registry.settings.lanes.cpu.slots + workspace.registry.settings.lanes.gpu.slots
        config = {"max_concurrent": slots, "start_method": {"forkserver": {"preload_modules": PRELOAD}}}
        return holding(dg.multiprocess_executor).configured(config)
    raise ConfigError(f"SPARKLE_EXECUTOR: expected auto, in_process or multiprocess, got {name!r}", file=".env_sample")


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
