"""Shadows as Dagster sees them: a job that makes one for one production, and a sensor that starts it when nobody waits.

A candidate's shadow is owed until it was made, so it may be put off, and stopped as soon as a production is under way.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.errors import ConfigError
from contracts.shadow import ShadowComparison
from sparkle_dagster.defs.jobs import PRODUCTION_JOB, SHADOW_JOB, UNFINISHED, production_tags
from sparkle_dagster.defs.run_lock import holding
from sparkle_dagster.execution.definition import read_definition
from sparkle_dagster.execution.shadow import Shadow, candidate_shadows, owed, run_shadow, workflow_shadow
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from sparkle_dagster.workspace import Workspace, this_workspace

INTERVAL_SECONDS = 15
_LOOK_SECONDS = 1.0
"""So long a production that starts shares the machine with a shadow."""
_LAST = "-100"
"""Dagster's queue takes everything else first."""


class ShadowConfig(dg.Config):
    """One shadow of one production."""

    production: str
    shadow: str = Field(default="", description="<node>.<provider>, of a `shadow` list of the tool registry.")
    definition: str = Field(default="", description="Instead: artifact of a definition, as JSON; all of it runs.")


def build_shadow_job() -> Any:
    """A job of one step; it takes no partition and materializes nothing."""

    @dg.op(name="make_shadow", tags={"sparkle/lane": "cpu"})
    def make_shadow(context: dg.OpExecutionContext, config: ShadowConfig) -> None:
        workspace = this_workspace()
        shadow = _chosen(workspace, config)
        with _stopped_by_productions(context.instance, shadow) as stop:
            try:
                found = run_shadow(
                    workspace, shadow, config.production, run_id=context.run_id, logger=context.log, stop=stop
                )
            except AttemptStopped:
                context.log.info("made room for a production; it is done again when there is room")
                return
        for line in in_words(found):
            context.log.info(line)

    @dg.job(
        name=SHADOW_JOB,
        description="Runs a candidate, or a whole second workflow, beside what delivers, and compares.",
        executor_def=holding(dg.in_process_executor),
    )
    def job() -> None:
        make_shadow()

    return job


def build_shadow_sensor() -> dg.SensorDefinition:
    """One shadow at a time, while no production is under way."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        workspace = this_workspace()
        if is_busy(context.instance):
            return dg.SkipReason("a production is under way")
        if context.instance.get_runs_count(dg.RunsFilter(job_name=SHADOW_JOB, statuses=UNFINISHED)):
            return dg.SkipReason("a shadow is being made")
        for shadow in candidate_shadows(workspace):
            for production in owed(workspace, shadow):
                config = shadow_run_config(production, shadow=shadow.name)
                return dg.RunRequest(run_config=config, tags=shadow_tags(workspace, production))
        return dg.SkipReason("everything is compared")

    return dg.SensorDefinition(
        name="shadows",
        job_name=SHADOW_JOB,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs the candidates of `shadow` lists on finished productions while nothing else runs.",
    )


def shadow_run_config(production: str, *, shadow: str = "", definition: ArtifactRef | None = None) -> dict[str, Any]:
    stored = definition.model_dump_json() if definition else ""
    values = {"production": production, "shadow": shadow, "definition": stored}
    return {"ops": {"make_shadow": {"config": values}}}


def shadow_tags(workspace: Workspace, production: str) -> dict[str, str]:
    return {**production_tags(workspace, production), "dagster/priority": _LAST}


def is_busy(instance: dg.DagsterInstance) -> bool:
    """A production of any workspace on this home waits or runs."""
    return instance.get_runs_count(dg.RunsFilter(job_name=PRODUCTION_JOB, statuses=UNFINISHED)) > 0


def in_words(found: ShadowComparison) -> list[str]:
    """What it would have delivered, beside what was."""
    if found.ended != "compared":
        return [f"shadow {found.shadow} of {found.production}: {found.ended.replace('_', ' ')}: {found.error}"]
    lines = [f"shadow {found.shadow} of {found.production}: would have delivered"]
    for name, ref in found.candidate.delivered.items():
        ours = found.primary.delivered.get(name)
        same = " (the same)" if ours and ours.digest == ref.digest else ""
        lines.append(f"  {name:<32} {ref.digest[:16]} {ref.size_bytes:,} bytes{same}")
    for name in ("verdict", "fidelity", "latency_ms"):
        theirs, primary = getattr(found.candidate, name), getattr(found.primary, name)
        lines.append(f"  {name:<32} {theirs or 'none'}; delivered: {primary or 'none'}")
    return lines


def _chosen(workspace: Workspace, config: ShadowConfig) -> Shadow:
    if config.definition:
        ref = ArtifactRef.parse_json(config.definition)
        return workflow_shadow(read_definition(workspace.store, ref).workflow(workspace.registry))
    known = {shadow.name: shadow for shadow in candidate_shadows(workspace)}
    if config.shadow not in known:
        raise ConfigError(f"expected a shadow of the tool registry ({', '.join(known) or 'none'}), got {config.shadow}")
    return known[config.shadow]


@contextmanager
def _stopped_by_productions(instance: dg.DagsterInstance, shadow: Shadow) -> Generator[threading.Event | None]:
    """Set as soon as a production is under way. A whole second workflow was asked for, and is not put off."""
    if shadow.candidate is None:
        yield None
        return
    stop, is_done = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_done.wait(_LOOK_SECONDS):
            if is_busy(instance):
                stop.set()
                return

    watcher = threading.Thread(target=watch, daemon=True, name="makes-room")
    watcher.start()
    try:
        yield stop
    finally:
        is_done.set()
        watcher.join()
