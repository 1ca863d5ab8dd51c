"""The language of ``when`` and ``skip_if``: what is allowed, what it decides, what it says of its reason."""

import pytest

from contracts.errors import ContractViolation
from sparkle_dagster.workflow.expressions import WrongExpression, condition_of
from sparkle_dagster.workflow.load import load_workflow
from sparkle_dagster.workflow.mermaid import Mark, workflow_graph_mermaid
from tests.conftest import PROJECT
from tests.sparkle_dagster.workflow.conftest import Load, Tasks

VALUES = {
    "upload.language": "en",
    "upload.tags": ["news", "no-lipsync"],
    "upload.title": "",
    "upload.transcript": None,
    "script.confidence": 0.8,
    "script.metrics.word_count": 12,
    "lipsync.metrics.face_confidence": None,
    "registry.qa.enabled": True,
}
TRUE = [
    "upload.language == 'en'",
    "upload.language in ['de', 'en']",
    "upload.language not in ('de', 'fr')",
    "'no-lipsync' in upload.tags",
    "upload.title == ''",
    "upload.transcript is None",
    "upload.transcript == None and not upload.language != 'en'",
    "0.5 < script.confidence <= 0.8",
    "script.metrics.word_count > -1 or upload.language == 'xx'",
    "registry.qa.enabled",
    "not lipsync.metrics.face_confidence > 0.5",
    "not lipsync.metrics.face_confidence <= 0.5",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_runs_under_when_and_not_under_skip_if(text: str) -> None:
    values = {reference.text: VALUES[reference.text] for reference in condition_of("when", text).references}
    assert condition_of("when", text).decide(values).runs
    assert not condition_of("skip_if", text).decide(values).runs


@pytest.mark.parametrize("text", TRUE)
def test_false_is_the_other_way_round(text: str) -> None:
    values = {reference.text: VALUES[reference.text] for reference in condition_of("when", text).references}
    assert not condition_of("when", f"not ({text})").decide(values).runs
    assert condition_of("skip_if", f"not ({text})").decide(values).runs


@pytest.mark.parametrize("text", TRUE)
def test_every_true_sentence_is_well_typed(load: Load, text: str) -> None:
    workflow = load(_workflow(text))
    assert [condition.text for condition in workflow.node("qa").conditions] == [text]


@pytest.mark.parametrize(
    "text",
    [
        "upload.tags.append('x')",
        "__import__('os').system('true')",
        "upload.__class__ == 'x'",
        "upload.tags[0] == 'x'",
        "[tag for tag in upload.tags] == []",
        "(lambda: True)()",
        "f'{upload.title}' == ''",
        "upload.title * 9 == ''",
        "2 ** 9999 > 1",
        "'a' + upload.title == 'a'",
        "True if upload.language == 'en' else False",
        "(x := 1) == 1",
        "{'a': 1} == {}",
        "upload.title == b''",
        "upload.title == 1j",
        "print",
        "",
        "upload.title == '' # and more\nTrue",
        "(" * 250 + ")" * 250,
        "x" * 501,
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(WrongExpression):
        condition_of("when", text)


def test_reason_tells_the_sentence_its_verdict_and_its_values() -> None:
    decided = condition_of("skip_if", "'no-lipsync' in upload.tags").decide({"upload.tags": ["no-lipsync"]})
    assert decided.reason == "skip_if 'no-lipsync' in upload.tags is true: upload.tags is ['no-lipsync']"
    long = condition_of("when", "upload.title != 'a'").decide({"upload.title": "x" * 500})
    assert len(long.reason) < 150


def test_value_of_a_type_that_nobody_promised_is_a_readable_error() -> None:
    with pytest.raises(ContractViolation, match=r"cannot be decided with upload\.title = 'a'"):
        condition_of("when", "upload.title > 3").decide({"upload.title": "a"})


def test_condition_is_an_edge_of_the_graph_and_part_of_the_digest(load: Load) -> None:
    workflow = load(_workflow("script.confidence > 0.5"))
    assert workflow.node("qa").data_upstream == ("script", "lipsync")
    assert workflow.definition_digest != load(_workflow("script.confidence > 0.6")).definition_digest


@pytest.mark.requirement("S8")
def test_drawing_of_the_documents_is_made_from_the_shipped_file(tasks: Tasks) -> None:
    drawn = workflow_graph_mermaid(load_workflow(PROJECT / "configs/pipeline/workflow.yaml", tasks))
    assert f"```mermaid\n{drawn}```" in (PROJECT / "docs/workflow.md").read_text()
    assert "n_upload -.->|skip_if| n_lipsync" in drawn


def test_plan_is_drawn_on_the_nodes(load: Load) -> None:
    drawn = workflow_graph_mermaid(load(_workflow("script.confidence > 0.5")), {"qa": Mark("HIT", 'a "quoted" <name>')})
    assert "qa<br/>QAReviewTask<br/>HIT a 'quoted' #lt;name>" in drawn
    assert "classDef hit fill:" in drawn
    assert "class n_qa hit" in drawn


def _workflow(when: str) -> str:
    """A review that binds nothing of the script."""
    return f"""\
name: w
nodes:
  - {{id: script, task: ScriptGenerationTask, inputs: {{audio_track: upload.audio_track}}, outputs: [script]}}
  - id: lipsync
    task: LipSyncTask
    inputs: {{audio_track: upload.audio_track, video_stub: upload.video_stub}}
    outputs: [aligned_video]
  - id: qa
    task: QAReviewTask
    inputs: {{video: lipsync.aligned_video, audio_track: upload.audio_track}}
    outputs: [qa_report]
    when: "{when}"
"""
