"""Asset checks of a review: one for each declared id, whatever the verdict."""

from pathlib import Path

import dagster as dg
import pytest

from contracts.base import Fidelity
from contracts.events import NodeRecord
from contracts.qa import QACheck, QAReviewResult, Verdict
from sparkle_dagster.defs.checks import check_results
from sparkle_dagster.defs.metadata import MAX_TEXT_CHARACTERS, checks_table, metadata_of
from sparkle_dagster.execution.node_run import NodeOutcome
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import make_project

QA = dg.AssetKey("qa_report")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("SPARKLE_HOME", "SPARKLE_WORKSPACE", "SPARKLE_EXECUTOR", "SPARKLE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return load_workspace(make_project(tmp_path / "project").root)


def declared(workspace: Workspace) -> list[str]:
    return sorted({name for profile in workspace.registry.profiles.values() for name in profile.limits})


def review(verdict: Verdict, *checks: QACheck) -> QAReviewResult:
    return QAReviewResult(verdict=verdict, checks=checks, provider="signal", fidelity=Fidelity.DEGRADED)


@pytest.mark.parametrize(
    ("status", "passed", "severity"), [("pass", True, "WARN"), ("warn", False, "WARN"), ("fail", False, "ERROR")]
)
def test_check_says_what_was_measured(workspace: Workspace, status: str, passed: bool, severity: str) -> None:
    name = declared(workspace)[0]
    check = QACheck.model_validate({"id": name, "title": "T", "status": status, "value": 1.5, "message": "seen"})
    results = check_results(workspace, review(Verdict.REVIEW, check), QA)
    assert [result.check_name for result in results] == declared(workspace)
    assert (results[0].passed, results[0].severity.value, results[0].description) == (passed, severity, "seen")


@pytest.mark.parametrize(
    ("verdict", "passed"),
    [(Verdict.APPROVE, True), (Verdict.REVIEW, True), (Verdict.REJECT, True), (Verdict.NOT_REVIEWED, False)],
)
def test_what_was_not_measured_passes_only_where_there_was_a_review(
    workspace: Workspace, verdict: Verdict, passed: bool
) -> None:
    results = check_results(workspace, review(verdict), QA)
    assert {result.passed for result in results} == {passed}
    assert {result.severity.value for result in results} == {"WARN"}


def test_table_keeps_hostile_texts_in_their_cells(workspace: Workspace) -> None:
    check = QACheck(id="silence", title="a|b\nc <img>", status="fail", message="|")
    rows = checks_table(review(Verdict.REJECT, check)).splitlines()
    assert len(rows) == 3
    assert "<img>" not in rows[2]


def test_long_text_is_cut_in_the_event_log(workspace: Workspace) -> None:
    from contracts.events import NodeStatus
    from contracts.script import ScriptResult

    script = ScriptResult(language="en", text="word " * 10_000)
    record = NodeRecord(node_id="script", provider="transcript", status=NodeStatus.SUCCEEDED)
    text = metadata_of(NodeOutcome(script, record, "0" * 64), workspace)["text"].value
    assert isinstance(text, str)
    assert MAX_TEXT_CHARACTERS < len(text) < MAX_TEXT_CHARACTERS + 20
