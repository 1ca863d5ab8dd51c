"""What becomes a production and what is refused, with the sentence that whoever sent it reads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import ConfigError, UploadRejected
from contracts.upload import UploadResult
from sparkle_dagster.execution.arrivals import look
from sparkle_dagster.execution.intake import (
    Admission,
    admit,
    move_to_admitted,
    previous_upload,
    production_spec,
    quarantine,
)
from sparkle_dagster.execution.node_run import NodeOutcome
from sparkle_dagster.workspace import Workspace
from tests.sparkle_dagster.execution.conftest import take_in

Drop = Callable[..., Path]


def admit_all(workspace: Workspace) -> NodeOutcome:
    (arrival,) = look(workspace, [])
    return admit(Admission(arrival.production_key, arrival.files, "run", "1"), workspace)


def test_admitted_upload_has_facts_previews_and_the_registrys_language(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    drop("talk.txt", sample="voice_short.txt")
    outcome = admit_all(workspace)
    upload = outcome.result
    assert isinstance(upload, UploadResult)
    assert upload.audio_track.media
    assert upload.audio_track.media.audio
    assert upload.video_stub.media
    assert upload.video_stub.media.kind == "image"
    assert upload.language == "en"
    assert set(outcome.record.previews) == {
        ref.digest for ref in (upload.audio_track, upload.video_stub, upload.transcript) if ref
    }


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("talk.wav", b"", "talk.wav: expected a file with content, got 0 bytes"),
        ("talk.wav", b"RIFF not a sound", "the audio cannot be used"),
        ("talk.wav", b"x" * (2**20 + 1), "talk.wav: expected at most 1048576 bytes, got 1048577"),
    ],
)
def test_voice_that_is_none_is_refused(
    workspace: Workspace, drop: Drop, name: str, content: bytes, sentence: str
) -> None:
    drop(name, content)
    with pytest.raises(UploadRejected, match=sentence):
        admit_all(workspace)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("talk.png", "<html>", "the face cannot be used"),
        ("talk.txt", b"\x00\x01\x02\xff" * 40, "the transcript cannot be used"),
        ("talk.yaml", "titel: x", "talk.yaml: .*titel"),
        ("talk.yaml", "title: [", r"talk.yaml:"),
        ("talk.yaml", "profile: cinema", "profile: expected one of draft, podcast, web, got 'cinema'"),
        ("talk.yaml", f"title: {'x' * 201}", "title.*200"),
        ("talk.yaml", "language: English", "language"),
    ],
)
def test_companion_that_cannot_be_used_is_refused(
    workspace: Workspace, drop: Drop, name: str, content: bytes | str, sentence: str
) -> None:
    drop("talk.wav", sample="voice_short.wav")
    drop(name, content)
    with pytest.raises(UploadRejected, match=sentence):
        admit_all(workspace)


def test_picture_named_as_a_voice_is_refused(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="presenter.png")
    with pytest.raises(UploadRejected, match="the audio cannot be used: expected sound, got image"):
        admit_all(workspace)


def test_files_that_changed_since_they_were_seen_are_refused(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    (arrival,) = look(workspace, [])
    drop("talk.wav", sample="voice.wav")
    with pytest.raises(UploadRejected, match="they changed while they were taken in"):
        admit(Admission(arrival.production_key, arrival.files, "run", "1"), workspace)


@pytest.mark.parametrize(
    ("role", "name", "sentence"),
    [
        ("voice", "talk.wav", "voice: expected one of the roles audio, face, transcript, options"),
        ("audio", "talk.exe", "audio: expected a file ending in .wav .mp3"),
        ("audio", "gone.wav", "audio: expected the file 'gone.wav' in the uploads folder, found none"),
    ],
)
def test_launch_with_wrong_files_is_answered_in_words(
    workspace: Workspace, drop: Drop, role: str, name: str, sentence: str
) -> None:
    with pytest.raises(UploadRejected, match=sentence):
        admit(Admission("talk-0123456789abcdef", {role: workspace.inbox / name}, "run", "1"), workspace)


def test_link_out_of_the_inbox_is_not_followed(workspace: Workspace) -> None:
    link = workspace.inbox / "talk.wav"
    link.symlink_to(workspace.settings.project / "samples/voice.wav")
    with pytest.raises(UploadRejected, match="found none"):
        admit(Admission("talk-0123456789abcdef", {"audio": link}, "run", "1"), workspace)


def test_roles_and_options_that_did_not_come_are_kept(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    drop("talk.yaml", "title: Hello\ntags: [one]\nlanguage: en-GB\n")
    (first,) = look(workspace, [])
    take_in(workspace, first)
    drop("talk.txt", sample="voice_short.txt")
    (second,) = look(workspace, [first.production_key])
    take_in(workspace, second)
    upload = previous_upload(workspace, first.production_key)
    assert upload
    assert (upload.title, upload.tags, upload.language) == ("Hello", ("one",), "en-GB")
    assert upload.transcript


def test_run_done_again_finds_its_files_where_it_put_them(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    (arrival,) = look(workspace, [])
    before = take_in(workspace, arrival)
    assert not arrival.files["audio"].exists()
    assert take_in(workspace, arrival).data_version == before.data_version


def test_names_that_clash_are_kept_side_by_side(workspace: Workspace, drop: Drop) -> None:
    for content in ("one", "two", "three"):
        move_to_admitted({"transcript": drop("talk.txt", content)}, "talk-1", workspace)
    folder = workspace.inbox / "admitted/talk-1"
    assert sorted(path.read_text() for path in folder.iterdir()) == ["one", "three", "two"]


def test_file_that_another_process_has_moved_is_no_error(workspace: Workspace, drop: Drop) -> None:
    path = drop("talk.txt", "one")
    path.unlink()
    move_to_admitted({"transcript": path}, "talk-1", workspace)


@pytest.mark.requirement("U7")
def test_quarantine_gives_the_reason_and_loses_nothing(workspace: Workspace, drop: Drop) -> None:
    folders = [
        quarantine({"transcript": drop("REASON.txt", content)}, "talk-1", f"because {content}", workspace)
        for content in ("one", "two")
    ]
    assert folders[0] != folders[1]
    for folder, content in zip(folders, ("one", "two"), strict=True):
        assert sorted(path.read_text().strip() for path in folder.iterdir()) == [f"because {content}", content]


def test_profile_that_the_registry_lost_is_named(workspace: Workspace, drop: Drop) -> None:
    drop("talk.wav", sample="voice_short.wav")
    upload = admit_all(workspace).result
    assert isinstance(upload, UploadResult)
    old = upload.model_copy(update={"profile": "cinema"})
    with pytest.raises(ConfigError, match="expected 'cinema', which talk-1 asked for, got draft, podcast, web"):
        production_spec(old, "talk-1", workspace)
