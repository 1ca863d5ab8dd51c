"""What a policy, or a person, decided is carried out: a sensor asks for the run that follows; no worker waits."""

import dagster as dg

from contracts.errors import SparkleError
from sparkle_dagster.defs.assets import asset_key
from sparkle_dagster.defs.jobs import PRODUCTION_JOB, PRODUCTION_TAG, UNFINISHED, production_tags
from sparkle_dagster.defs.reaper import LAUNCH_TAG
from sparkle_dagster.defs.run_lock import locks_folder, nobody_holds
from sparkle_dagster.execution.decisions import RULING, is_pending, policy_node
from sparkle_dagster.execution.plan import Planner
from sparkle_dagster.workflow.graph import Node
from sparkle_dagster.workspace import Workspace, this_workspace

INTERVAL_SECONDS = 10
MAX_LOOKED_AT = 100
"""Decisions in one tick."""


def build_policy_sensor() -> dg.SensorDefinition:
    """One run request per decision that asks for a run, and per person's word."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        workspace = this_workspace()
        node = policy_node(workspace)
        if node is None:
            return dg.SensorResult(skip_reason="no node of the workflow decides")
        productions, cursor = _decided(context, workspace, node)
        ruled = [key.partition("/")[2] for key in workspace.store.keys(f"{RULING}/")]
        productions += [production for production in ruled if not _is_in_hand(context.instance, workspace, production)]
        found = [_request(context, workspace, node, production) for production in dict.fromkeys(productions)]
        requests = [request for request in found if request is not None]
        skipped = None if requests else "nothing was decided that asks for a run"
        return dg.SensorResult(run_requests=requests, skip_reason=skipped, cursor=str(cursor))

    return dg.SensorDefinition(
        name="decisions",
        job_name=PRODUCTION_JOB,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Carries on where a policy asks for a run again, or a person has approved or rejected.",
    )


def _decided(context: dg.SensorEvaluationContext, workspace: Workspace, node: Node) -> tuple[list[str], int]:
    """Productions that a policy has decided on since the last look, and where the next one begins.

    It begins with the first that is in hand; what follows is asked for again then, and started once by its key.
    """
    cursor, found, is_open = int(context.cursor or 0), list[str](), True
    after = dg.AssetRecordsFilter(asset_key=asset_key(workspace, node.asset_key), after_storage_id=cursor)
    for record in context.instance.fetch_materializations(after, limit=MAX_LOOKED_AT, ascending=True).records:
        production = record.partition_key or ""
        if _is_in_hand(context.instance, workspace, production):
            is_open = False
            continue
        found.append(production)
        cursor = record.storage_id if is_open else cursor
    return found, cursor


def _is_in_hand(instance: dg.DagsterInstance, workspace: Workspace, production: str) -> bool:
    """A run of it is under way, or the command that made the last one still lives: it carries on by itself."""
    filters = dg.RunsFilter(job_name=PRODUCTION_JOB, tags={PRODUCTION_TAG: production})
    runs = instance.get_runs(filters, limit=1)
    if not runs or runs[0].status in UNFINISHED:
        return bool(runs)
    path = locks_folder(workspace.settings.home) / f"{runs[0].tags.get(LAUNCH_TAG)}.lock"
    with nobody_holds(path) as is_free:
        return path.exists() and not is_free


def _request(
    context: dg.SensorEvaluationContext, workspace: Workspace, node: Node, production: str
) -> dg.RunRequest | None:
    try:
        if not is_pending(workspace, production):
            return None
        assets = Planner(workspace).plan(production).assets
    except SparkleError as error:
        context.log.warning(f"{production}: {error}")
        return None
    decided, ruled = (
        max(workspace.store.generations(f"{name}/{production}"), default=0) for name in (node.asset_key, RULING)
    )
    return dg.RunRequest(
        run_key=f"{production}@{decided}:{ruled}",
        partition_key=production,
        asset_selection=[asset_key(workspace, name) for name in assets],
        tags=production_tags(workspace, production, workspace.read_result("upload", production)["tags"]),
    )
