"""The shipped workflow, its forms and its digest, and what a stranger's task brings."""

import json
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.artifacts import ArtifactRef
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import LipSyncTask, Task
from contracts.workflow import NodeSpec
from sparkle_dagster.workflow import BoundInput, Workflow, load_workflow, workflow_graph_mermaid
from sparkle_dagster.workflow.order import find_cycle, in_order
from sparkle_dagster.yaml_file import load_document
from tests.conftest import PROJECT
from tests.sparkle_dagster.workflow.conftest import Load, Tasks

SHIPPED = PROJECT / "configs" / "pipeline" / "workflow.yaml"


@pytest.fixture(scope="module")
def shipped(tasks: Tasks) -> Workflow:
    return load_workflow(SHIPPED, tasks)


@pytest.mark.requirement("S2", "S17")
def test_the_shipped_workflow_is_the_pipeline(shipped: Workflow) -> None:
    assert [(node.id, node.asset_key, node.capability) for node in shipped.nodes] == [
        ("script", "script", "script"),
        ("lipsync", "aligned_video", "lipsync"),
        ("video", "assembled_video", "video"),
        ("qa", "qa_report", "qa"),
    ]
    assert all(node.uses_upload and node.spec.description for node in shipped.nodes)
    assert shipped.node("lipsync").task is LipSyncTask
    assert shipped.node("script").spec.timeout == 600


def test_upstream_is_what_inputs_and_deps_name_in_order(shipped: Workflow) -> None:
    assert {node.id: node.upstream for node in shipped.nodes} == {
        "script": (),
        "lipsync": ("script",),
        "video": ("script", "lipsync"),
        "qa": ("script", "lipsync", "video"),
    }


def test_downstream_is_what_a_change_reaches(shipped: Workflow) -> None:
    assert shipped.downstream_of("lipsync") == ("video", "qa")
    assert shipped.downstream_of("qa") == ()
    assert shipped.downstream_of("upload") == ("script", "lipsync", "video", "qa")


def test_inputs_are_bound_to_fields_or_to_the_whole_result(shipped: Workflow) -> None:
    assert shipped.node("lipsync").inputs == (
        BoundInput("audio_track", "upload", "audio_track"),
        BoundInput("video_stub", "upload", "video_stub"),
        BoundInput("language", "upload", "language"),
        BoundInput("script", "script", None),
    )


@pytest.mark.requirement("S8")
def test_the_graph_is_drawn(shipped: Workflow) -> None:
    assert (
        workflow_graph_mermaid(shipped)
        == """\
flowchart LR
  n_upload([upload])
  n_script["script<br/>ScriptGenerationTask"]
  n_lipsync["lipsync<br/>LipSyncTask"]
  n_video["video<br/>VideoAssemblyTask"]
  n_qa["qa<br/>QAReviewTask"]
  n_upload -->|audio_track, transcript, language| n_script
  n_upload -->|audio_track, video_stub, language| n_lipsync
  n_script -->|script| n_lipsync
  n_upload -.->|skip_if| n_lipsync
  n_lipsync -->|aligned_video| n_video
  n_upload -->|audio_track, title, captions| n_video
  n_script -->|script| n_video
  n_video -->|video| n_qa
  n_upload -->|audio_track| n_qa
  n_script -->|script| n_qa
  n_lipsync -->|mouth_curve, before_mouth, untouched| n_qa
"""
    )


@pytest.mark.requirement("S11")
def test_json_gives_the_same_graph_and_digest(shipped: Workflow, load: Load) -> None:
    text = json.dumps(load_document(SHIPPED).data, indent="\t")
    again = load(text, name="workflow.json")
    assert again.file == "workflow.json"
    assert again.definition_digest == shipped.definition_digest
    assert again.nodes == shipped.nodes


def test_the_digest_is_of_what_is_said_not_how(shipped: Workflow, load: Load) -> None:
    data = load_document(SHIPPED).data
    data["nodes"] = [dict(reversed(node.items())) for node in reversed(data["nodes"])]
    data["nodes"][-1]["timeout"] = 600  # said as 10m
    data["nodes"][-1]["lane"] = "auto"  # the default, said
    assert load(json.dumps(dict(reversed(data.items())))).definition_digest == shipped.definition_digest
    assert load("# another comment\n" + SHIPPED.read_text()).definition_digest == shipped.definition_digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("timeout: 10m", "timeout: 11m"),
        ("name: talking-video", "name: other"),
        ("pass_through", "hold_last"),
        ("What is said", "What is sung"),
        (", language: upload.language}", "}"),
        ("[qa_report]", "[review]"),
    ],
)
def test_another_definition_has_another_digest(shipped: Workflow, load: Load, before: str, after: str) -> None:
    text = SHIPPED.read_text()
    assert before in text
    assert load(text.replace(before, after, 1)).definition_digest != shipped.definition_digest


class TranslationRequest(TaskRequest):
    text: str
    captions: ArtifactRef | None = None


class TranslationResult(TaskResult):
    translated: str


class TranslationTask(Task[TranslationRequest, TranslationResult]):
    """A new task, as a separately installed package would bring it."""

    capability: ClassVar[str] = "translation"
    request_type = TranslationRequest
    result_type = TranslationResult


WITH_TRANSLATION = """\
name: translated
nodes:
  - id: translate
    task: TranslationTask
    inputs: {text: script.text, captions: script.captions_srt}
    outputs: [translated]
  - {id: script, task: ScriptGenerationTask, inputs: {audio_track: upload.audio_track}, outputs: [words]}
  - id: again
    task: TranslationTask
    inputs: {text: translate.translated}
    params: {metadata: {tone: calm}}
    outputs: [again]
"""


def test_a_strangers_task_is_a_node_like_any_other(load: Load) -> None:
    workflow = load(WITH_TRANSLATION, {"TranslationTask": TranslationTask})
    assert [node.id for node in workflow.nodes] == ["script", "translate", "again"]
    assert workflow.node("translate").capability == "translation"
    assert workflow.node("again").upstream == ("translate",)
    assert not workflow.node("again").uses_upload


def test_a_field_goes_before_an_asset_of_the_same_name(load: Load) -> None:
    """``translate.translated`` is the text, though the node's asset is called so as well."""
    workflow = load(WITH_TRANSLATION, {"TranslationTask": TranslationTask})
    assert workflow.node("again").inputs == (BoundInput("text", "translate", "translated"),)


def test_deps_give_order_without_data(load: Load) -> None:
    workflow = load("""\
name: ordered
nodes:
  - {id: a, task: ScriptGenerationTask, inputs: {audio_track: upload.audio_track}, outputs: [a], deps: [b, upload]}
  - {id: b, task: ScriptGenerationTask, inputs: {audio_track: upload.audio_track}, outputs: [b]}
""")
    assert [(node.id, node.upstream) for node in workflow.nodes] == [("b", ()), ("a", ("b",))]
    assert "n_b -.-> n_a" in workflow_graph_mermaid(workflow)


def test_among_equals_the_order_of_the_file_counts(load: Load) -> None:
    line = "  - {{id: {0}, task: ScriptGenerationTask, inputs: {{audio_track: upload.audio_track}}, outputs: [{0}]}}\n"
    workflow = load("name: wide\nnodes:\n" + "".join(line.format(name) for name in "cadbe"))
    assert [node.id for node in workflow.nodes] == list("cadbe")


def test_the_digest_of_a_file_stays_for_ever(load: Load) -> None:
    """Results are stored under it: a new release must not change it, whatever keys it brings."""
    workflow = load("""\
name: small
nodes:
  - {id: a, task: ScriptGenerationTask, inputs: {audio_track: upload.audio_track}, outputs: [a], timeout: 90s}
""")
    assert workflow.definition_digest == "5e7949a522e4ad8dbc6368308ec7730f5213ea96c6d823664a5e16b4e5496ab0"


def test_what_is_not_said_has_defaults(load: Load) -> None:
    workflow = load("""\
name: small
nodes:
  - {id: a, task: ScriptGenerationTask, inputs: {audio_track: upload.audio_track}, outputs: [a]}
""")
    expected: dict[str, Any] = {
        "id": "a",
        "task": "ScriptGenerationTask",
        "inputs": {"audio_track": "upload.audio_track"},
        "outputs": ("a",),
    }
    assert workflow.node("a").spec == NodeSpec.model_validate(expected)
    assert workflow.node("a").spec.timeout == 1800


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_an_order_puts_every_node_after_its_upstream(edges: dict[str, set[str]]) -> None:
    upstream = {name: before & edges.keys() for name, before in edges.items()}
    cycle = find_cycle(upstream)
    if cycle is None:
        order = in_order(upstream)
        assert sorted(order) == sorted(upstream)
        assert all(order.index(before) < order.index(name) for name in upstream for before in upstream[name])
    else:
        assert cycle[0] == cycle[-1]
        assert all(one in upstream[other] for one, other in pairwise(cycle))
