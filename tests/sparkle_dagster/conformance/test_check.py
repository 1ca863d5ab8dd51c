"""`sparkle providers --check` on a stranger's package in a folder of its own: good, and bad for one reason each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkle_dagster.conformance.check import CaseOutcome, check_provider
from tests.project import SOURCE, make_project
from tests.sparkle_dagster.conformance import strangers

MODULE = Path(strangers.__file__).read_text()
BAD_INPUT = "bad_input_is_rejected_in_words"
PLATFORM = "the_platform_takes_its_result"
HANG_SECONDS = 30
"""Longer than the process takes to start on a busy machine."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The stranger's folder: no project of Sparkle's."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "stranger.py").write_text(MODULE)
    return folder


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sparkle_dagster.cli", "providers", "--check", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.requirement("S1", "S12")
def test_a_strangers_good_provider_keeps_every_promise(package: Path) -> None:
    done = check(package, "stranger:OneCaption")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 passed" in done.stdout
    assert "passed  it refuses an option that it does not have" in done.stdout
    assert [path.name for path in package.iterdir() if path.name != "__pycache__"] == ["stranger.py"]


BROKEN: dict[str, dict[str, str]] = {
    "Wordless": {"says_what_it_is": "expected a docstring of its own"},
    "TakesAnything": {"unknown_option_is_refused": "a typo would go unnoticed"},
    "NamesWhatItNeverStored": {
        "all_that_the_result_names_is_stored": "which is not in the store",
        PLATFORM: "which it neither wrote nor was given",
    },
    "CallsBytesAVideo": {PLATFORM: "says video/mp4"},
    "HandsOnAndSaysReal": {"what_it_hands_on_is_no_real_work": "say passthrough, or degraded"},
    "TellsTheTime": {"equal_requests_give_equal_results_wherever_they_run": "two runs differ in text"},
    "Litters": {"leaves_nothing_outside_its_temp_dir": "found cache.bin in cwd"},
    "SetsAVariable": {"changes_no_environment": "it changed OMP_NUM_THREADS"},
    "GoesBack": {"progress_goes_forward_and_stays_within_its_total": "it went back"},
    "TakesNoise": {BAD_INPUT: "expected ProviderRejected, got a result"},
    "FailsOnNoise": {BAD_INPUT: "run() raised ValueError: no good"},
    "DiesOnNoise": {BAD_INPUT: "its process ended by exit code 3; it said: cannot go on"},
    "NeedsAMachine": {"is_available_here": "needs a quantum computer; buy one"},
}
"""Class -> the cases that it must fail, and words of the reason."""


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.requirement("S12", "S28")
def test_a_bad_provider_is_red_for_its_own_reason(package: Path, name: str) -> None:
    done = check(package, f"stranger:{name}", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = {case["case"]: case["reason"] for case in answer(done)["cases"] if case["outcome"] == "failed"}
    assert set(failed) == set(BROKEN[name]), failed
    for case, words in BROKEN[name].items():
        assert words in failed[case]


def test_what_breaks_everything_is_said_in_each_case(package: Path) -> None:
    wrong = answer(check(package, "stranger:AnswersWithADictionary", "--json"))
    reasons = {case["case"]: case["reason"] for case in wrong["cases"] if case["outcome"] == "failed"}
    assert reasons["result_is_the_capabilitys_and_survives_storage"] == (
        "expected run() to return a ScriptResult, got dict"
    )
    assert "expected run() to return a ScriptResult, got dict" in reasons[PLATFORM]
    assert "says_what_it_is" not in reasons


def test_options_are_given(package: Path) -> None:
    alone = check(package, "stranger:AsksForAnOption", "--json")
    assert alone.returncode == 1
    reasons = {case["case"]: case["reason"] for case in answer(alone)["cases"] if case["outcome"] == "failed"}
    assert "voice_name: Field required" in reasons["default_options_are_enough"]
    given = check(package, "stranger:AsksForAnOption", "--json", "--options", '{"voice_name": "Ann"}')
    failed = [case["case"] for case in answer(given)["cases"] if case["outcome"] == "failed"]
    assert failed == ["default_options_are_enough"]


def test_a_provider_that_hangs_is_killed_and_the_rest_goes_on(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(package)
    heard: list[CaseOutcome] = []
    outcomes = check_provider("stranger:HangsOnNoise", {}, {}, heard.append, case_seconds=HANG_SECONDS)
    assert heard == outcomes
    failed = {outcome.case: outcome.reason for outcome in outcomes if outcome.outcome == "failed"}
    assert failed == {BAD_INPUT: f"it did not end within {HANG_SECONDS} s and was killed"}
    assert outcomes[-1].case == PLATFORM
    assert outcomes[-1].outcome == "passed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing:Here"], "expected the module nothing, found none that can be imported"),
        (["stranger:Nobody"], "expected a class Nobody in stranger, found none"),
        (["stranger"], "expected module:Class, got 'stranger'"),
        (["stranger:ArtifactRef"], "expected stranger:ArtifactRef to be a subclass of a task"),
        (["stranger:ScriptGenerationTask"], "expected stranger:ScriptGenerationTask to have a method run(request)"),
        (["stranger:OneCaption", "--options", "text=x"], "--options: expected JSON"),
        (["stranger:OneCaption", "--options", '{"txet": "x"}'], "txet"),
    ],
)
def test_what_is_no_provider_is_one_readable_line(package: Path, arguments: list[str], said: str) -> None:
    done = check(package, *arguments, "--json")
    assert done.returncode == 1
    assert said in answer(done)["message"]
    assert "Traceback" not in done.stderr


def test_weights_come_from_the_registry_of_the_project(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    done = project.command("providers", "--check", "providers.lipsync.wav2lip:Wav2LipProvider")
    assert done.returncode == 1
    assert "failed  it can run on this machine" in done.stdout
    assert "models/wav2lip" in done.stdout
    assert "skipped it writes nothing beside its temp_dir" in done.stdout
