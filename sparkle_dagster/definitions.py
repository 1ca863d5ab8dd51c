"""The code location: a table of contents. What is made is declared in configs/, how is in defs/ and execution/."""

import dagster as dg

from sparkle_dagster.defs.alerts import build_alert_sensor
from sparkle_dagster.defs.assets import build_node_assets
from sparkle_dagster.defs.executors import build_executor
from sparkle_dagster.defs.io_manager import ArtifactIOManager
from sparkle_dagster.defs.jobs import build_production_job
from sparkle_dagster.defs.policy import build_policy_sensor
from sparkle_dagster.defs.provider_resource import ProviderResource
from sparkle_dagster.defs.reaper import build_reaper_sensor
from sparkle_dagster.defs.report import build_report_asset
from sparkle_dagster.defs.retention import build_gc_job, build_gc_schedule
from sparkle_dagster.defs.sensor import build_inbox_sensor
from sparkle_dagster.defs.shadow import build_shadow_job, build_shadow_sensor
from sparkle_dagster.defs.upload import build_upload_asset
from sparkle_dagster.workspace import Workspace, this_workspace


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """Everything Dagster needs to know of one workspace."""
    capabilities = dict.fromkeys(node.capability for node in workspace.workflow.nodes)
    gc_job = build_gc_job()
    return dg.Definitions(
        assets=[build_upload_asset(workspace), *build_node_assets(workspace), build_report_asset(workspace)],
        jobs=[build_production_job(), gc_job, build_shadow_job()],
        sensors=[
            build_inbox_sensor(workspace),
            build_reaper_sensor(),
            build_alert_sensor(),
            build_shadow_sensor(),
            build_policy_sensor(),
        ],
        schedules=[build_gc_schedule(workspace, gc_job)],
        resources={
            "io_manager": ArtifactIOManager(),
            **{capability: ProviderResource(capability=capability) for capability in capabilities},
        },
        executor=build_executor(workspace),
    )


defs = build_definitions(this_workspace())
