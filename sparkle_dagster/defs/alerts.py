"""An example of an alert: each failed run as one line that says which stage failed, why, and what to type next.

Off until somebody turns it on in the UI. Take it as a pattern: replace ``_tell`` by a call of your own pager.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from sparkle_dagster.defs.jobs import PRODUCTION_TAG
from sparkle_dagster.observability.run_events import PARTITION_TAG
from sparkle_dagster.observability.run_states import unfinished_nodes
from sparkle_dagster.workspace import Workspace, this_workspace

ALERTS_FILE = "alerts.jsonl"


def build_alert_sensor() -> dg.SensorDefinition:
    """Dagster calls it once for every run that fails, lost ones included."""

    @dg.run_failure_sensor(
        name="failed_run_alert",
        description="Example: writes a line with the failed stage, the reason and the next command to alerts.jsonl.",
        default_status=dg.DefaultSensorStatus.STOPPED,
    )
    def failed_run_alert(context: dg.RunFailureSensorContext) -> None:
        workspace = this_workspace()
        alert = alert_of(context.instance, workspace, context.dagster_run)
        context.log.error(alert["text"])
        _tell(workspace.settings.home / ALERTS_FILE, alert)

    return failed_run_alert


def alert_of(instance: dg.DagsterInstance, workspace: Workspace, run: dg.DagsterRun) -> dict[str, Any]:
    """What somebody who is woken needs: production, stage, reason, next command."""
    production = run.tags.get(PRODUCTION_TAG) or run.tags.get(PARTITION_TAG, "")
    nodes = unfinished_nodes(instance, workspace, production) if production else {}
    failed = next((node for node in nodes.values() if node.error), None)
    stage = failed.node_id if failed else "unknown"
    reason = failed.error if failed else "see the run in the Dagster UI"
    command = f"sparkle rerun {production} --from {stage}" if failed else f"sparkle status {production}"
    text = f"{production or run.run_id}: {stage} failed: {reason}"
    return {"production": production, "run_id": run.run_id, "stage": stage, "text": text, "next": command}


def _tell(path: Path, alert: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(alert, ensure_ascii=False) + "\n")
