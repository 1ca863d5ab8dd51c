"""The one job: make a production, or any part of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from sparkle_dagster.workspace import Workspace

PRODUCTION_JOB = "production"
SHADOW_JOB = "shadow"
PRODUCTION_TAG = "sparkle/production"
WORKSPACE_TAG = "sparkle/workspace"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_production_job() -> Any:
    """Every asset of the workspace; a run selects those it needs."""
    return dg.define_asset_job(
        PRODUCTION_JOB,
        selection=dg.AssetSelection.all(),
        description="From an upload to the report; select assets to run a part of it.",
    )


def op_name(workspace: Workspace, asset: str) -> str:
    """Dagster names an asset's op by its key, joined with two underscores."""
    return "__".join([*workspace.key_prefix, asset])


def upload_run_config(workspace: Workspace, files: Mapping[str, Path]) -> dict[str, Any]:
    """Run config that tells the upload asset which files to take in, relative to the uploads folder."""
    names = {role: str(path.relative_to(workspace.inbox)) for role, path in files.items()}
    return {"ops": {op_name(workspace, "upload"): {"config": {"files": names}}}}


def production_tags(workspace: Workspace, production: str, upload_tags: Iterable[str] = ()) -> dict[str, str]:
    """Which production a run makes, of which workspace; and its place in Dagster's queue, where a tag says so."""
    tags = {PRODUCTION_TAG: production, WORKSPACE_TAG: workspace.settings.workspace}
    priority = priority_of(workspace, upload_tags)
    return {**tags, "dagster/priority": str(priority)} if priority else tags


def priority_of(workspace: Workspace, upload_tags: Iterable[str]) -> int:
    """The highest that a tag gives."""
    priorities = workspace.registry.settings.queue.priorities
    return max((priorities[tag] for tag in upload_tags if tag in priorities), default=0)
