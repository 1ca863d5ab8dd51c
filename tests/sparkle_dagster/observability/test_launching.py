"""What a start needs of its caller's files, and for how long they are kept."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from contracts.errors import UploadRejected
from contracts.service import RerunRequest, StartRequest
from sparkle_dagster.observability.service import intake
from sparkle_dagster.observability.service.launching import Started
from sparkle_dagster.workspace import Workspace

DROP = "drop-0001"


def receive(workspace: Workspace, name: str, data: bytes = b"x", drop: str = DROP) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for index in range(len(data)):
            yield data[index : index + 1]

    asyncio.run(intake.receive(workspace, drop, name, chunks()))


def test_files_become_the_command_a_person_would_type(workspace: Workspace) -> None:
    receive(workspace, "hello.wav")
    receive(workspace, "hello.txt")
    request = StartRequest(
        drop=DROP, title="--only=x", tags=("a b",), disable=("qa",), provider={"lipsync": "mouth_warp"}
    )
    command, audio, *others = intake.start_arguments(workspace, request)
    assert command == "run"
    assert audio.endswith("web-drop-0001/hello.wav")
    assert others == [
        f"--transcript={audio.removesuffix('.wav')}.txt",
        "--title=--only=x",
        "--tag=a b",
        "--disable=qa",
        "--provider=lipsync=mouth_warp",
    ]


def test_rerun_is_the_command_a_person_would_type() -> None:
    request = RerunRequest.model_validate({"from": "lipsync", "disable": ["qa"]})
    assert intake.rerun_arguments("p", request) == ["rerun", "p", "--from=lipsync", "--disable=qa"]
    request = RerunRequest.model_validate({"from": "script", "until": "video", "force": True})
    assert intake.rerun_arguments("p", request) == ["rerun", "p", "--from=script", "--until=video", "--force"]


def test_too_large_file_leaves_nothing_behind(workspace: Workspace) -> None:
    uploads = workspace.registry.settings.uploads
    small = uploads.model_copy(update={"max_bytes": 3})
    object.__setattr__(workspace.registry.config.platform, "uploads", small)
    with pytest.raises(intake.TooLarge, match="at most 3 bytes"):
        receive(workspace, "hello.wav", b"four")
    assert list((workspace.inbox / ".drops" / "web-drop-0001").iterdir()) == []


def test_two_voices_and_too_many_files_are_refused(workspace: Workspace) -> None:
    for name in ("a.wav", "b.mp3", "c.png", "d.txt"):
        receive(workspace, name)
    with pytest.raises(UploadRejected, match="at most 4 files"):
        receive(workspace, "e.txt")
    with pytest.raises(UploadRejected, match="expected one audio"):
        intake.start_arguments(workspace, StartRequest(drop=DROP))


def test_drop_that_nobody_started_is_removed_after_a_day(workspace: Workspace) -> None:
    receive(workspace, "old.wav", drop="drop-of-yesterday")
    receive(workspace, "new.wav", drop="drop-of-today")
    old = workspace.inbox / ".drops" / "web-drop-of-yesterday"
    os.utime(old, (time.time() - 2 * intake.KEEP_SECONDS,) * 2)
    intake.forget_old(workspace)
    assert [path.name for path in (workspace.inbox / ".drops").iterdir()] == ["web-drop-of-today"]


def test_files_are_kept_while_a_command_may_need_them() -> None:
    assert Started(202, {"run_id": "r1"}).is_settled
    assert Started(200, {"started": False}).is_settled
    assert not Started(202, {"run_id": ""}).is_settled, "its run is not there yet"
    assert not Started(422, {"error": "mend it and start again"}).is_settled
    assert not Started(429, {"error": "try again"}).is_settled
