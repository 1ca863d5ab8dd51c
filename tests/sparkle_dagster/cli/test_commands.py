"""What commands answer, to people and to programs, also when they fail; and how runs are cancelled."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.faults.processes import is_running
from tests.project import Project, make_project

KEY = "voice-0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def failure(project: Project, *arguments: str | Path) -> dict[str, Any]:
    """The one JSON document of a command that must fail; people are told the same on stderr."""
    done = project.command(*arguments, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["message"].splitlines()[0] in done.stderr
    assert "Traceback" not in done.stderr
    return answer


@pytest.mark.requirement("X11")
def test_failed_run_answers_with_one_document_and_its_production_is_in_status(project: Project) -> None:
    bad = project.root / "talk.wav"
    bad.write_text("not a sound")
    answer = failure(project, "run", bad)
    assert answer["error"] == "RunFailed"
    assert "the audio cannot be used" in answer["message"]
    assert answer["success"] is False
    production = answer["production"]
    (summary,) = project.sparkle("status")
    assert summary["production"] == production
    nodes = {node["node_id"]: node["status"] for node in summary["nodes"]}
    assert nodes == {"upload": "failed", "script": "blocked", "lipsync": "blocked", "video": "blocked", "qa": "blocked"}
    (project.home / "uploads/notes.docx").write_text("not for us")
    shown = project.command("status")
    assert shown.returncode == 0, shown.stderr
    assert production in shown.stdout
    assert "upload:failed" in shown.stdout, "a state is told in words, not by colour alone"
    assert "notes.docx: expected one of .wav" in shown.stdout
    assert not (project.home / "uploads/quarantine").exists(), "the person has the file; a copy is nobody's"


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("--profile", "cinema", "draft, podcast, web"),
        ("--captions", "loud", "confident"),
        ("--language", "../en", "pattern"),
    ],
)
def test_option_that_no_upload_can_have_starts_nothing(project: Project, option: str, value: str, known: str) -> None:
    answer = failure(project, "run", project.root / "samples/voice_short.wav", option, value)
    assert answer["error"] == "ConfigError"
    assert answer["message"].startswith(option)
    assert known in answer["message"]
    assert not project.home.exists(), "nothing was copied, no run was made"


def test_unknown_production_is_a_readable_error(project: Project) -> None:
    answer = failure(project, "status", KEY)
    assert KEY in answer["message"]
    assert "sparkle status" in answer["message"]
    assert failure(project, "cancel", KEY)["error"] == "ConfigError"


def test_resident_provider_is_shown_and_ended(project: Project) -> None:
    (project.root / "kept.py").write_text(
        "from providers.lipsync.noop import NoOpLipSyncProvider\nclass Kept(NoOpLipSyncProvider):\n    warm = True\n"
    )
    project.edit("configs/tool_registry.yaml", "providers: [wav2lip, mouth_warp]", "providers: [kept]")
    project.edit("configs/tool_registry.yaml", "    mouth_warp: {", '    kept: {use: "kept:Kept"}\n    mouth_warp: {')
    for other in ("script", "video", "qa"):
        project.edit("configs/tool_registry.yaml", f"{other}: {{enabled: true", f"{other}: {{enabled: false")
    project.sparkle("run", project.root / "samples/voice_short.wav")
    (lipsync,) = [item for item in project.sparkle("providers") if item["capability"] == "lipsync"]
    (resident,) = lipsync["residents"]
    assert (resident["provider"], resident["runs"], resident["is_busy"]) == ("lipsync/kept", 1, False)
    (shown,) = [item for item in project.sparkle("doctor") if item["what"] == "resident lipsync/kept"]
    assert shown["why"].endswith(f"process {resident['process_id']}")
    ended = project.command("providers", "--end-residents")
    assert ended.returncode == 0, ended.stderr
    assert "resident" not in ended.stdout
    assert not is_running(resident["process_id"])


def test_wrong_usage_is_a_document_too(project: Project) -> None:
    done = project.command("rerun", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "UsageError"
    assert "production" in done.stderr.lower()


@pytest.mark.requirement("S42")
def test_wrong_configuration_is_a_document_with_file_and_line(project: Project) -> None:
    project.edit("configs/tool_registry.yaml", "lead_ms: 30", "leed_ms: 30")
    answer = failure(project, "validate")
    assert answer["error"] == "ConfigError"
    assert "configs/tool_registry.yaml:" in answer["message"]


def test_brackets_in_what_people_wrote_are_shown_as_they_are(project: Project) -> None:
    code = (
        "from contracts.events import RunSummary\n"
        "from sparkle_dagster.cli.productions import _overview\n"
        "from rich.console import Console\n"
        "Console(width=200).print(_overview([RunSummary(production='p', workspace='main', title='[/] [red]x')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[/] [red]x" in done.stdout, done.stderr


def add_run(project: Project, status: dg.DagsterRunStatus, **tags: str) -> str:
    """A run of ``KEY`` as the event log would know it."""
    project.sparkle("status")  # makes the home
    run = dg.DagsterRun(
        job_name="production", run_id=dg_run_id(), status=status, tags={"dagster/partition": KEY, **tags}
    )
    with project.instance() as instance:
        instance.add_dynamic_partitions("productions", [KEY])
        instance.add_run(run)
    return run.run_id


def dg_run_id() -> str:
    import uuid

    return str(uuid.uuid4())


def status_of(project: Project, run_id: str) -> dg.DagsterRunStatus:
    with project.instance() as instance:
        run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_run_that_was_never_launched_is_cancelled(project: Project) -> None:
    run_id = add_run(project, dg.DagsterRunStatus.NOT_STARTED)
    assert project.sparkle("cancel", KEY) == {"production": KEY, "cancelled": [run_id]}
    assert status_of(project, run_id) is dg.DagsterRunStatus.CANCELED
    nodes = {node["status"] for node in project.sparkle("status", KEY)["nodes"]}
    assert nodes == {"cancelled"}
    assert project.sparkle("cancel", KEY)["cancelled"] == []


def test_run_whose_process_is_gone_is_ended(project: Project) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    tags = {"sparkle/pid": str(gone.pid), "sparkle/host": socket.gethostname()}
    run_id = add_run(project, dg.DagsterRunStatus.STARTED, **tags)
    assert project.sparkle("cancel", KEY)["cancelled"] == [run_id]
    assert status_of(project, run_id) is dg.DagsterRunStatus.CANCELED


def test_process_that_is_none_of_ours_is_left_alone(project: Project) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        tags = {"sparkle/pid": str(stranger.pid), "sparkle/host": socket.gethostname()}
        run_id = add_run(project, dg.DagsterRunStatus.STARTED, **tags)
        project.sparkle("cancel", KEY)
        assert stranger.poll() is None
        os.kill(stranger.pid, 9)
    assert status_of(project, run_id) is dg.DagsterRunStatus.CANCELED
