"""What files in the inbox ask for. Uploads are admitted for real: copied, inspected, committed, moved."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.upload import UploadResult
from sparkle_dagster.execution import arrivals
from sparkle_dagster.execution.arrivals import Arrival, look
from sparkle_dagster.workspace import Workspace
from tests.sparkle_dagster.execution.conftest import take_in

Drop = Callable[..., Path]
ALL_BUT_UPLOAD = ("script", "aligned_video", "assembled_video", "qa_report", "report")


def keys_of(workspace: Workspace) -> list[str]:
    return [key.removeprefix("upload/") for key in workspace.store.keys("upload/")]


def one(workspace: Workspace) -> Arrival:
    (arrival,) = look(workspace, keys_of(workspace))
    return arrival


def left(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in workspace.inbox.iterdir() if path.is_file())


@pytest.fixture
def admitted(workspace: Workspace, drop: Drop) -> Arrival:
    """A voice with the presenter's face, admitted as ``talk``."""
    drop("talk.wav", sample="voice_short.wav")
    arrival = one(workspace)
    take_in(workspace, arrival)
    return arrival


def test_voice_alone_is_a_production_with_every_asset(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    arrival = one(workspace)
    assert arrival.is_new
    assert arrival.assets == ()
    assert set(arrival.files) == {"audio"}


def test_files_without_a_voice_wait_and_are_not_read(workspace: Workspace, drop: Drop) -> None:
    drop("talk.txt", "hello")
    drop("talk.png", sample="presenter.png")
    assert look(workspace, []) == []
    assert left(workspace) == ["talk.png", "talk.txt"]


def test_late_transcript_joins_and_asks_for_what_depends_on_words(
    workspace: Workspace, drop: Drop, admitted: Arrival
) -> None:
    drop("talk.txt", "hello there")
    arrival = one(workspace)
    assert (arrival.production_key, arrival.is_new) == (admitted.production_key, False)
    assert arrival.assets == ("upload", *ALL_BUT_UPLOAD)
    upload = take_in(workspace, arrival).result
    assert isinstance(upload, UploadResult)
    assert upload.transcript is not None
    assert upload.source_names == {"audio": "talk.wav", "transcript": "talk.txt"}


def test_new_title_asks_only_for_what_shows_it(workspace: Workspace, drop: Drop, admitted: Arrival) -> None:
    drop("talk.yaml", "title: Welcome\n")
    assert one(workspace).assets == ("upload", "assembled_video", "qa_report", "report")


def test_options_that_say_what_holds_already_are_put_away(workspace: Workspace, drop: Drop, admitted: Arrival) -> None:
    drop("talk.yaml", 'title: ""\nlanguage: en\n')
    assert look(workspace, keys_of(workspace)) == []
    assert left(workspace) == []


def test_language_taken_back_is_a_change(workspace: Workspace, drop: Drop, admitted: Arrival) -> None:
    drop("talk.yaml", "language: fr\n")
    take_in(workspace, one(workspace))
    drop("talk.yaml", "title: x\n")
    assert "script" in one(workspace).assets


def test_unreadable_options_still_start_a_run_that_can_refuse_them(
    workspace: Workspace, drop: Drop, admitted: Arrival
) -> None:
    drop("talk.yaml", "titel: typo\n")
    assert one(workspace).production_key == admitted.production_key


def test_same_files_under_another_name_are_put_away(workspace: Workspace, drop: Drop, admitted: Arrival) -> None:
    drop("other.wav", sample="voice_short.wav")
    assert look(workspace, keys_of(workspace)) == []
    assert left(workspace) == []
    assert (workspace.inbox / "admitted" / admitted.production_key / "other.wav").is_file()


@pytest.mark.requirement("U7")
def test_two_names_of_the_same_files_at_once_are_one_production(workspace: Workspace, drop: Drop) -> None:
    drop("first.wav", sample="voice_short.wav")
    drop("second.wav", sample="voice_short.wav")
    arrival = one(workspace)
    take_in(workspace, arrival)
    assert look(workspace, keys_of(workspace)) == []
    assert left(workspace) == []


def test_another_face_alone_makes_another_production_with_the_same_voice(
    workspace: Workspace, drop: Drop, admitted: Arrival
) -> None:
    face = (workspace.settings.project / "samples/presenter.png").read_bytes()
    drop("talk.png", face + b"\0")  # another digest, the same picture
    arrival = one(workspace)
    assert arrival.is_new
    assert arrival.production_key != admitted.production_key
    upload = take_in(workspace, arrival).result
    assert isinstance(upload, UploadResult)
    assert upload.source_names == {"audio": "talk.wav", "face": "talk.png"}
    assert arrival.production_key.endswith(upload.digest[:16])


@pytest.mark.requirement("U7")
def test_crash_after_the_commit_and_before_the_move_is_tidied_up(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    arrival = one(workspace)
    take_in(workspace, arrival, move=False)
    assert left(workspace) == ["talk.wav"]
    assert look(workspace, keys_of(workspace)) == []
    assert left(workspace) == []
    assert (workspace.inbox / "admitted" / arrival.production_key / "talk.wav").is_file()


@pytest.mark.requirement("U7")
def test_run_key_is_the_same_at_every_look_and_another_after_a_commit(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    first = one(workspace)
    assert one(workspace).run_key == first.run_key
    take_in(workspace, first)
    drop("talk.txt", "one")
    second = one(workspace)
    take_in(workspace, second)
    drop("talk.txt", "two")
    take_in(workspace, one(workspace))
    drop("talk.txt", "one")  # back to what it was: not the same request as the first time
    assert len({first.run_key, second.run_key, one(workspace).run_key}) == 3


def test_one_look_reads_no_more_than_its_budget(
    workspace: Workspace, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    presenter_and_one = (workspace.settings.project / "samples/voice_short.wav").stat().st_size
    monkeypatch.setattr(arrivals, "HASH_BUDGET_BYTES", presenter_and_one)
    for number in range(3):
        path = drop(f"talk{number}.wav", sample="voice_short.wav")
        path.write_bytes(path.read_bytes()[:-1] + bytes([number]))
        os.utime(path, (1000 + number, 1000 + number))
    assert [len(look(workspace, [])) for _ in range(3)] == [1, 2, 3]


def test_what_waits_in_the_inbox_does_not_eat_the_budget_of_others(
    workspace: Workspace, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "HASH_BUDGET_BYTES", 10)
    os.utime(drop("orphan.txt", "x" * 1000), (1000, 1000))
    drop("talk.wav", sample="voice_short.wav")
    look(workspace, [])
    assert [arrival.production_key.rsplit("-", 1)[0] for arrival in look(workspace, [])] == ["talk"]


def test_missing_presenter_stops_only_uploads_without_a_face(workspace: Workspace, drop: Drop) -> None:
    workspace.presenter.unlink()
    drop("bare.wav", sample="voice_short.wav")
    drop("whole.wav", sample="voice.wav")
    drop("whole.png", sample="presenter.png")
    problems: list[str] = []
    (arrival,) = look(workspace, [], problems.append)
    assert arrival.production_key.startswith("whole-")
    (problem,) = problems
    assert "bare" in problem
    assert "settings.presenter" in problem
