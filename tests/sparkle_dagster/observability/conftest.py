"""A production of small, real artifacts in a real store, committed without running its providers."""

import io
from pathlib import Path

import pytest

from contracts.base import Fidelity
from contracts.events import NodeRecord, NodeStatus
from contracts.production import TaskResult
from contracts.qa import QACheck, QAReviewResult, Verdict
from contracts.script import ScriptResult
from contracts.upload import UploadResult
from contracts.video import VideoAssemblyResult
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import make_project

KEY = "voice-0123456789abcdef"
HOSTILE = """</script><img src=x onerror="document.title='owned'">${x} $title `$(touch owned)`\n'quoted'"""
NODE_OF_ASSET = {"upload": "upload", "script": "script", "assembled_video": "video", "qa_report": "qa"}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("SPARKLE_HOME", "SPARKLE_WORKSPACE", "SPARKLE_EXECUTOR", "SPARKLE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return load_workspace(make_project(tmp_path / "project").root)


def commit(workspace: Workspace, asset: str, result: TaskResult, weights: dict[str, str] | None = None) -> None:
    """As the IO manager does."""
    record = NodeRecord(
        node_id=NODE_OF_ASSET[asset],
        provider=result.provider,
        status=NodeStatus.SUCCEEDED,
        latency_ms=1200,
        weights=weights or {},
    )
    document = {
        "contract": type(result).__name__,
        "data_version": "0" * 64,
        "result": result.model_dump(mode="json"),
        "record": record.model_dump(mode="json"),
    }
    workspace.store.commit(f"{asset}/{KEY}", document, attempt_id="test")


def commit_upload(workspace: Workspace, title: str = "", names: dict[str, str] | None = None) -> UploadResult:
    samples = workspace.settings.project / "samples"
    upload = UploadResult(
        provider="intake",
        audio_track=workspace.store.put(samples / "voice_short.wav", "audio/wav"),
        video_stub=workspace.store.put(samples / "presenter.png", "image/png"),
        language="en",
        title=title,
        digest="0" * 64,
        source_names=names or {"audio": "voice.wav"},
    )
    commit(workspace, "upload", upload)
    return upload


def commit_hostile_production(workspace: Workspace) -> None:
    """Every text that comes from outside is an attack on the page."""
    captions = f"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{HOSTILE.replace(chr(10), ' ')}\n"
    vtt = workspace.store.put(io.BytesIO(captions.encode()), "text/vtt")
    video = workspace.store.put(io.BytesIO(b"not a video, and no test of one"), "video/mp4")
    check = QACheck(id="silence", title=HOSTILE, status="fail", value=HOSTILE, message=HOSTILE)
    commit_upload(workspace, HOSTILE.replace("\n", " ")[:200], {"audio": f"-{HOSTILE}.wav", "face": HOSTILE})
    commit(workspace, "script", ScriptResult(provider=HOSTILE, language="en", text=HOSTILE, notes=(HOSTILE,)))
    commit(
        workspace,
        "assembled_video",
        VideoAssemblyResult(provider="pyav", assembled_video=video, captions_vtt=vtt, captions_in_video=True),
    )
    review = QAReviewResult(
        provider="signal", verdict=Verdict.REJECT, checks=(check,), fidelity=Fidelity.DEGRADED, notes=(HOSTILE,)
    )
    commit(workspace, "qa_report", review)
