"""Requests are built from what a node binds, and validate as the task's request."""

import pytest

from contracts.artifacts import ArtifactRef
from contracts.errors import ContractViolation
from contracts.lipsync import LipSyncRequest
from contracts.script import ScriptResult
from contracts.upload import UploadResult
from sparkle_dagster.workflow import Workflow, bind
from tests.sparkle_dagster.workflow.conftest import Load

TEXT = """\
name: bound
nodes:
  - id: script
    task: ScriptGenerationTask
    inputs: {audio_track: upload.audio_track, transcript: upload.transcript}
    outputs: [script]
  - id: lipsync
    task: LipSyncTask
    inputs:
      audio_track: upload.audio_track
      video_stub: upload.video_stub
      script: script.script
      language: script.language
    params:
      no_face_policy: hold_last
      metadata: {tone: [calm]}
      segments: [{start_seconds: 0, end_seconds_exclusive: 1}]
    outputs: [aligned_video]
"""


def ref(name: str) -> ArtifactRef:
    return ArtifactRef(path=name, checksum=f"sha256:{'0' * 64}", size_bytes=1, media_type="audio/wav")


@pytest.fixture
def workflow(load: Load) -> Workflow:
    return load(TEXT)


@pytest.fixture
def upload() -> UploadResult:
    return UploadResult(audio_track=ref("voice"), video_stub=ref("face"), language="en", digest="0" * 64)


def test_inputs_and_literals_make_the_request(workflow: Workflow, upload: UploadResult) -> None:
    script = ScriptResult(text="hello", language="de", provider="transcript", notes=("who and how",))
    document = bind(workflow.node("lipsync"), upload, {"script": script})
    request = LipSyncRequest.model_validate(document)
    assert request.audio_track == ref("voice")
    assert request.video_stub == ref("face")
    assert request.script == script.model_copy(update={"provider": "", "notes": ()}), "who made it is not content"
    assert request.language == "de"
    assert request.no_face_policy == "hold_last"
    assert request.metadata == {"tone": ["calm"]}
    assert request.segments[0].duration_seconds == 1


def test_an_empty_optional_field_stays_empty(workflow: Workflow, upload: UploadResult) -> None:
    assert bind(workflow.node("script"), upload, {}) == {"audio_track": ref("voice"), "transcript": None}


def test_a_request_cannot_reach_back_into_the_workflow(workflow: Workflow, upload: UploadResult) -> None:
    results = {"script": ScriptResult()}
    bind(workflow.node("lipsync"), upload, results)["metadata"]["tone"].append("loud")
    assert bind(workflow.node("lipsync"), upload, results)["metadata"] == {"tone": ["calm"]}


def test_a_result_that_is_not_there_is_named(workflow: Workflow, upload: UploadResult) -> None:
    with pytest.raises(
        ContractViolation, match=r"node 'lipsync': expected the result of 'script' for 'script', got .*: qa"
    ):
        bind(workflow.node("lipsync"), upload, {"qa": ScriptResult()})
