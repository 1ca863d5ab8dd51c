"""The sweep as Dagster sees it: a job, a schedule that is off unless the settings say otherwise, and pruned records."""

import time
from typing import Any

import dagster as dg

from sparkle_dagster.defs.jobs import PRODUCTION_TAG, UNFINISHED, WORKSPACE_TAG
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.execution.retention import Collected, collect
from sparkle_dagster.workspace import Workspace, this_workspace

GC_JOB = "collect_garbage"
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def collect_garbage(workspace: Workspace, instance: dg.DagsterInstance, *, dry_run: bool) -> tuple[Collected, int]:
    """Sweep the store, then prune what Dagster remembers of productions that are gone.

    Returns:
        what went, and how many runs were forgotten.
    """
    collected = collect(workspace, in_flight(instance), dry_run=dry_run)
    if not dry_run:
        for production in collected.productions:
            instance.delete_dynamic_partition(str(PRODUCTIONS.name), production)
    return collected, _prune(workspace, instance, collected, dry_run=dry_run)


def in_flight(instance: dg.DagsterInstance) -> dict[str, float]:
    """Production -> when its oldest unfinished run began, of every workspace on this home."""
    found: dict[str, float] = {}
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        production = record.dagster_run.tags.get(PRODUCTION_TAG) or record.dagster_run.tags.get("dagster/partition")
        if production:
            began = record.create_timestamp.timestamp()
            found[production] = min(began, found.get(production, began))
    return found


def build_gc_job() -> Any:
    """A job of one step; it takes no partition."""

    @dg.op(name="sweep", tags={"sparkle/lane": "cpu"})
    def sweep_store(context: dg.OpExecutionContext) -> None:
        collected, runs = collect_garbage(this_workspace(), context.instance, dry_run=False)
        for item in collected.gone:
            context.log.info(f"{item.what}: {item.why} ({item.size_bytes} bytes)")
        files = f"{collected.blob_count} stored files ({collected.size_bytes} bytes)"
        context.log.info(f"removed {files}, {collected.name_count} names, {runs} records of runs")

    @dg.job(name=GC_JOB, description="Removes what retention no longer keeps.", executor_def=dg.in_process_executor)
    def job() -> None:
        sweep_store()

    return job


def build_gc_schedule(workspace: Workspace, job: Any) -> dg.ScheduleDefinition:
    rules = workspace.registry.settings.retention
    status = dg.DefaultScheduleStatus.RUNNING if rules.scheduled else dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(name="nightly_sweep", job=job, cron_schedule=rules.cron, default_status=status)


def _prune(workspace: Workspace, instance: dg.DagsterInstance, collected: Collected, *, dry_run: bool) -> int:
    """Finished runs of this workspace that nobody asks about; one whose results still count keeps its events."""
    runs_s = workspace.registry.settings.retention.runs_s
    if runs_s is None:
        return 0
    gone, before, count = set(collected.productions), time.time() - runs_s, 0
    own = workspace.settings.workspace
    known = set(instance.get_dynamic_partitions(str(PRODUCTIONS.name)))
    for record in instance.get_run_records(dg.RunsFilter(statuses=[*_ENDED_BADLY, dg.DagsterRunStatus.SUCCESS])):
        if record.dagster_run.tags.get(WORKSPACE_TAG, own) != own:
            continue
        production = record.dagster_run.tags.get(PRODUCTION_TAG, "")
        is_of_nothing = production in gone or (production and production not in known)
        is_old = record.create_timestamp.timestamp() < before
        if is_old and (is_of_nothing or record.dagster_run.status in _ENDED_BADLY):
            count += 1
            if not dry_run:
                instance.delete_run(record.dagster_run.run_id)
    return count
