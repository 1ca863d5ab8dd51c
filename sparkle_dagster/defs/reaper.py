"""Runs whose process is gone are ended here: Dagster leaves a run STARTED for ever when its process is killed.

It looks when a command opens the home and, as a sensor, as long as a daemon lives.
"""

import time
from pathlib import Path

import dagster as dg

from sparkle_dagster.defs.run_lock import locks_folder, nobody_holds
from sparkle_dagster.workspace import this_workspace

LAUNCH_TAG = "sparkle/launch"
"""Names a command's launch; its file is held before the run exists."""
INTERVAL_SECONDS = 10
LOST = "the process of this run was lost: killed, out of memory, or the machine went down"

_LAUNCHED_TAG = ".dagster/grpc_info"
_CODE_SERVER_SECONDS = 3.0
"""A code server reports the loss of a run that it launched itself, within about a second; it goes first."""
_WITHOUT_OWN_FILE = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]
_ALIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING, *_WITHOUT_OWN_FILE]


def reap(instance: dg.DagsterInstance, home: Path) -> list[str]:
    """End the runs of this host whose every process is gone, and give back their pool slots.

    Returns:
        ids of the runs that were ended; each is ended once, however many processes look.
    """
    ended: list[str] = []
    for path in sorted(locks_folder(home).glob("*.lock")):
        with nobody_holds(path) as is_free:
            if is_free:
                ended += [run_id for run_id in _runs_of(instance, path) if _end(instance, run_id)]
                path.unlink(missing_ok=True)
    return ended


def build_reaper_sensor() -> dg.SensorDefinition:
    """Looks for lost runs as long as a daemon lives; starts none."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = reap(context.instance, this_workspace().settings.home)
        return dg.SkipReason(f"ended {len(ended)} lost run(s): {', '.join(ended)}" if ended else "no run was lost")

    return dg.SensorDefinition(
        name="lost_runs",
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process is gone, so that none stays started for ever.",
    )


def _runs_of(instance: dg.DagsterInstance, path: Path) -> list[str]:
    """The run of a file; for a launch's file, its runs that got no file of their own before the process ended."""
    run = instance.get_run_by_id(path.stem)
    if run is not None:
        return [run.run_id]
    found = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: path.stem}, statuses=_WITHOUT_OWN_FILE))
    return [run.run_id for run in found if not path.with_name(f"{run.run_id}.lock").exists()]


def _end(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Report the end of a run that has not ended; its processes are known to be gone."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status in _ALIVE and _LAUNCHED_TAG in run.tags:
        time.sleep(_CODE_SERVER_SECONDS)
        run = instance.get_run_by_id(run_id)
    is_lost = run is not None and run.status in _ALIVE
    if run is not None and is_lost:
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message=LOST)
        else:
            instance.report_run_failed(run, LOST)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return is_lost
