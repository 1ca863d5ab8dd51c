"""Names that mean something to a shell, a muxer or a path; files that are no files; files that change meanwhile."""

import os
import threading
import time
from pathlib import Path

import pytest

from contracts.errors import ArtifactError, UploadRejected
from sparkle_dagster.execution.arrivals import look
from sparkle_dagster.execution.intake import Admission, admit
from tests.hostile.door import Door, left_behind
from tests.media import make_tone

STEMS = (
    "\u0627\u0644\u0635\u0648\u062a",
    "\U0001f600 caf\u00e9",
    "two\nlines",
    "tab\there",
    "..",
    "...hidden?",
    "%d",
    "%s%n%x",
    "-rf",
    "--help",
    "file:",
    "http:x",
    "$(id)",
    "`id`",
    "a;b|c&d",
    "'quoted\"",
    "back\\slash",
    "*",
    "<img src=x onerror=alert(1)>",
    "\u202egnp",
    "x" * 200,
)


@pytest.fixture
def voice(door: Door) -> Path:
    path = door.made / "voice.wav"
    return path if path.exists() else make_tone(path, seconds=0.1)


@pytest.mark.parametrize("stem", STEMS)
def test_name_is_only_a_name(stem: str, door: Door, voice: Path) -> None:
    """The production's key is safe; the name stays as it came; hidden files are not seen at all."""
    path = door.workspace.inbox / f"{stem}.wav"
    path.write_bytes(voice.read_bytes())
    arrivals = look(door.workspace, [])
    path.unlink()
    if stem.startswith("."):
        assert arrivals == []
        return
    (arrival,) = arrivals
    assert arrival.files["audio"] == path
    assert set(arrival.production_key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not arrival.production_key.startswith("-")
    assert len(arrival.production_key) <= 57


@pytest.mark.parametrize("stem", ["-rf %d", "two\nlines", "<b>caf\u00e9"])
def test_odd_name_is_admitted_as_it_came(stem: str, door: Door, voice: Path) -> None:
    assert door.drop({f"{stem}.wav": voice}).source_names == {"audio": f"{stem}.wav"}


@pytest.mark.parametrize("kind", ["link", "broken link", "pipe", "folder"])
def test_what_is_no_file_is_never_taken(kind: str, door: Door, voice: Path) -> None:
    path = door.workspace.inbox / "talk.wav"
    match kind:
        case "link":
            path.symlink_to(voice)
        case "broken link":
            path.symlink_to(door.made / "none")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    try:
        assert look(door.workspace, []) == []
        with pytest.raises(UploadRejected, match=r"expected the file 'talk\.wav' in the uploads folder, found none"):
            admit(Admission("talk-0", {"audio": path}, "run", "1"), door.workspace)
    finally:
        path.rmdir() if kind == "folder" else path.unlink()
    assert door.workspace.store.keys("") == ()
    assert left_behind(door.workspace) == []


def test_file_replaced_between_look_and_admission_is_refused(door: Door, voice: Path) -> None:
    path = door.workspace.inbox / "talk.wav"
    path.write_bytes(voice.read_bytes())
    (arrival,) = look(door.workspace, [])
    path.unlink()
    make_tone(path, seconds=0.1, frequency_hz=600)
    with pytest.raises(UploadRejected, match="they changed while they were taken in; drop them again"):
        admit(Admission(arrival.production_key, arrival.files, "run", "1"), door.workspace)
    path.unlink()
    assert left_behind(door.workspace) == []


def test_file_swapped_for_a_link_before_admission_is_refused(door: Door, voice: Path) -> None:
    path = door.workspace.inbox / "talk.wav"
    path.write_bytes(voice.read_bytes())
    (arrival,) = look(door.workspace, [])
    path.unlink()
    path.symlink_to(voice)
    with pytest.raises(UploadRejected, match="found none; drop it again"):
        admit(Admission(arrival.production_key, arrival.files, "run", "1"), door.workspace)
    path.unlink()


def test_growing_file_is_never_half_taken(door: Door, voice: Path) -> None:
    """Either as it was at one moment, or refused: a writer goes on while the file is looked at and stored."""
    path = door.workspace.inbox / "talk.wav"
    path.write_bytes(voice.read_bytes())
    done = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as stream:
            while not done.is_set():
                stream.write(bytes(4096))
                done.wait(0.001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        arrivals = look(door.workspace, [])
        seen_bytes = path.stat().st_size
        while path.stat().st_size == seen_bytes:
            time.sleep(0.001)
        for arrival in arrivals:
            with pytest.raises((UploadRejected, ArtifactError), match="changed while"):
                admit(Admission(arrival.production_key, arrival.files, "run", "1"), door.workspace)
    finally:
        done.set()
        writer.join()
        path.unlink()
    assert door.workspace.store.keys("") == ()
    assert left_behind(door.workspace) == []
