"""The inbox sensor: new audio becomes a production, a correction brings one up to date. It opens no media."""

from collections.abc import Iterator

import dagster as dg

from contracts.errors import SparkleError
from sparkle_dagster.defs.assets import asset_key
from sparkle_dagster.defs.jobs import (
    PRODUCTION_JOB,
    PRODUCTION_TAG,
    SHADOW_JOB,
    UNFINISHED,
    WORKSPACE_TAG,
    priority_of,
    production_tags,
    upload_run_config,
)
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.execution.arrivals import Arrival, look
from sparkle_dagster.execution.inbox import left_alone
from sparkle_dagster.workspace import Workspace, this_workspace

MAX_REQUESTS_PER_TICK = 50
QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
"""The event log keeps everything; the terminal of `sparkle dev` shows what needs a look."""
MAX_NAMED = 5
"""Files that are left alone, in one line of the sensor's history; `sparkle status` names all."""
MAX_STARTS = 3
"""Runs for the same files: a run that failed and left them in the inbox was lost before it took them in."""


def build_inbox_sensor(workspace: Workspace) -> dg.SensorDefinition:
    """One run request per arrival, keyed by its content: the same files never start two runs."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        workspace = this_workspace()
        _fetch(workspace, context)
        found = look(workspace, _known_keys(context.instance), context.log.warning)
        found.sort(key=lambda arrival: -priority_of(workspace, arrival.tags))  # of equals, the oldest first
        arrivals = found[:MAX_REQUESTS_PER_TICK]
        left = _left_of_quota(context.instance, workspace)
        if arrivals and left is not None and left <= 0:
            return dg.SkipReason(f"{len(arrivals)} wait: settings.quota.productions_in_flight is reached")
        arrivals = arrivals[:left]
        if not arrivals:
            return dg.SkipReason(_nothing_new(workspace))
        new = list(dict.fromkeys(arrival.production_key for arrival in arrivals if arrival.is_new))
        return dg.SensorResult(
            run_requests=[_request(context.instance, workspace, arrival) for arrival in arrivals],
            dynamic_partitions_requests=[PRODUCTIONS.build_add_request(new)] if new else [],
        )

    return dg.SensorDefinition(
        name="inbox",
        job_name=PRODUCTION_JOB,
        evaluation_fn=evaluate,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches the uploads folder: a voice becomes a production, a correction brings one up to date.",
    )


def _nothing_new(workspace: Workspace) -> str:
    left = [f"{name}: {why}" for name, why in left_alone(workspace.inbox).items()]
    more = f" and {len(left) - MAX_NAMED} more" if len(left) > MAX_NAMED else ""
    named = f"; left alone: {'; '.join(left[:MAX_NAMED])}{more}" if left else ""
    return f"nothing new in the inbox ({workspace.inbox.name}/){named}"


def _known_keys(instance: dg.DagsterInstance) -> Iterator[str]:
    """Read when the first is asked for: a tick that finds an empty inbox costs the same after any number of uploads."""
    yield from instance.get_dynamic_partitions(str(PRODUCTIONS.name))


def _fetch(workspace: Workspace, context: dg.SensorEvaluationContext) -> None:
    """What is new in the bucket comes into the inbox; without the bucket, the inbox is looked at all the same."""
    if workspace.bucket_inbox is None:
        return
    try:
        fetched = workspace.bucket_inbox.fetch_new()
    except SparkleError as error:
        context.log.warning(str(error))
        return
    for problem in fetched.problems:
        context.log.warning(problem)


def _left_of_quota(instance: dg.DagsterInstance, workspace: Workspace) -> int | None:
    """How many productions more may be in flight; None for as many as there are."""
    limit = workspace.registry.settings.quota.productions_in_flight
    if limit is None:
        return None
    mine = instance.get_runs(dg.RunsFilter(tags={WORKSPACE_TAG: workspace.settings.workspace}, statuses=UNFINISHED))
    return limit - len({run.tags.get(PRODUCTION_TAG) for run in mine if run.job_name != SHADOW_JOB})


def _request(instance: dg.DagsterInstance, workspace: Workspace, arrival: Arrival) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=_run_key(instance, workspace, arrival),
        partition_key=arrival.production_key,
        run_config={**upload_run_config(workspace, arrival.files), **QUIET_CONSOLE},
        tags=production_tags(workspace, arrival.production_key, arrival.tags),
        asset_selection=[asset_key(workspace, name) for name in arrival.assets] or None,
    )


def _run_key(instance: dg.DagsterInstance, workspace: Workspace, arrival: Arrival) -> str:
    """Dagster starts one run per key; the next key only when the run of the one before failed."""
    keys = [arrival.run_key, *(f"{arrival.run_key}#{number}" for number in range(2, MAX_STARTS + 1))]
    for key in keys:
        tags = {"dagster/run_key": key, WORKSPACE_TAG: workspace.settings.workspace}
        runs = instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
        if not runs or runs[0].status is not dg.DagsterRunStatus.FAILURE:
            return key
    return keys[-1]
