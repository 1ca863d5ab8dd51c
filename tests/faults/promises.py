"""What holds after every kill, read from the store, the event log and the commands themselves."""

import json
import shlex
from collections import Counter
from typing import Any

import dagster as dg

from contracts.artifacts import ArtifactRef
from sparkle_dagster.observability.run_states import ACTIVE, unfinished_nodes
from sparkle_dagster.workspace import load_workspace
from tests.project import Project

Committed = dict[tuple[str, int], str]


def committed(project: Project) -> Committed:
    """(key, generation) -> the whole document."""
    store = project.store
    return {
        (key, generation): json.dumps(store.read(key, generation).document, sort_keys=True)
        for key in store.keys("")
        for generation in store.generations(key)
    }


def assert_nothing_lost(project: Project, before: Committed) -> None:
    """Everything that was committed is, unchanged; every artifact it names is whole; no run committed twice."""
    after = committed(project)
    assert {key: after.get(key) for key in before} == before
    for document in after.values():
        for ref in _refs(json.loads(document)):
            project.store.verify(ref)
    attempts = Counter(project.store.read(key, generation).attempt_id for key, generation in after)
    twice = {attempt: count for attempt, count in attempts.items() if count > 1}
    assert not twice, twice


def runs_of(project: Project, production: str) -> list[dg.DagsterRun]:
    """Newest first."""
    with project.instance() as instance:
        return list(instance.get_runs(dg.RunsFilter(tags={"dagster/partition": production})))


def unended_runs(project: Project, production: str) -> list[dg.DagsterRun]:
    return [run for run in runs_of(project, production) if run.status in ACTIVE]


def ended_at(project: Project, run_id: str) -> float:
    """Seconds since the epoch; 0 while it has not ended."""
    with project.instance() as instance:
        record = instance.get_run_record_by_id(run_id)
    return (record.end_time or 0.0) if record else 0.0


def first_look(project: Project, *, after: float) -> float:
    """When a daemon first looked for lost runs after a time, both in seconds since the epoch; 0 when none did."""
    with project.instance() as instance:
        states = [state for state in instance.all_instigator_state() if state.instigator_name == "lost_runs"]
        ticks = [
            tick.timestamp
            for state in states
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, after=after)
        ]
    return min(ticks, default=0.0)


def finish(project: Project, production: str) -> str:
    """What a person does: look, and type the command that is shown; which it was, empty when none was needed."""
    shown = project.command("status", production)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert not unended_runs(project, production), "a command has just looked: no run of a dead process is left"
    lines = [line.split("next", 1)[1].strip() for line in shown.stdout.splitlines() if line.startswith("next")]
    if not lines and "report" in project.generations(production):
        return ""
    command = lines[0] if lines else f"sparkle rerun {production} --only report"
    assert command.startswith("sparkle rerun "), shown.stdout
    assert not lines or "lost" in shown.stdout or "failed" in shown.stdout, shown.stdout
    done = project.command(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    return command


def assert_finished(project: Project, production: str) -> None:
    workspace = load_workspace(project.root)
    with project.instance() as instance:
        left = unfinished_nodes(instance, workspace, production)
    assert left == {}
    assert project.result("qa_report", production)["verdict"] in {"approve", "review", "reject"}
    assert "report" in project.generations(production)


def _refs(value: Any) -> list[ArtifactRef]:
    if isinstance(value, dict):
        if {"checksum", "size_bytes", "media_type"} <= set(value):
            return [ArtifactRef.parse(value)]
        return [ref for item in value.values() for ref in _refs(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in _refs(item)]
    return []
