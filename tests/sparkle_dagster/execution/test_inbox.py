"""Which files belong together, which have settled, which production they are."""

import os
import time
from pathlib import Path

import pytest

from sparkle_dagster.execution.inbox import (
    ROLE_BY_SUFFIX,
    content_digest_of,
    digest_of_file,
    has_settled,
    identity_of,
    is_hashed,
    known_key,
    left_alone,
    list_groups,
    production_key,
)

A, B = "a" * 64, "b" * 64


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())


def test_files_of_one_stem_belong_together(tmp_path: Path) -> None:
    _touch(tmp_path, "hello.wav", "hello.PNG", "hello.srt", "hello.yaml", "other.mp3")
    groups = {group.stem: sorted(group.files) for group in list_groups(tmp_path)}
    assert groups == {"hello": ["audio", "face", "options", "transcript"], "other": ["audio"]}


def test_what_is_not_an_upload_is_not_seen(tmp_path: Path) -> None:
    _touch(tmp_path, ".hidden.wav", "half.wav.part", "notes.docx", "real.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert [group.stem for group in list_groups(tmp_path)] == ["real"]


def test_second_file_for_a_role_is_named_not_taken(tmp_path: Path) -> None:
    _touch(tmp_path, "hello.wav", "hello.jpg", "hello.png")
    (group,) = list_groups(tmp_path)
    assert group.files["face"].name == "hello.jpg"
    assert [path.name for path in group.extra] == ["hello.png"]


def test_what_nothing_becomes_of_is_named_with_the_reason(tmp_path: Path) -> None:
    _touch(tmp_path, "hello.wav", "hello.mp3", ".hidden.pdf", "half.wav.part", "notes.docx", "README")
    for name in ("folder.wav", "admitted", "quarantine", ".drops"):
        (tmp_path / name).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    assert left_alone(tmp_path) == {
        "README": "expected one of " + " ".join(ROLE_BY_SUFFIX) + ", got no ending",
        "caf\\xe9.wav": "expected a name in UTF-8",
        "folder.wav": "expected a file, got a folder, a link or a pipe",
        "hello.wav": "expected one audio of this name, hello.mp3 is there already",
        "notes.docx": "expected one of " + " ".join(ROLE_BY_SUFFIX) + ", got .docx",
    }
    assert left_alone(tmp_path / "none") == {}


@pytest.mark.requirement("U7")
def test_a_file_settles_after_its_last_change(tmp_path: Path) -> None:
    _touch(tmp_path, "new.wav")
    assert not has_settled([tmp_path / "new.wav"], 60)
    assert has_settled([tmp_path / "new.wav"], 0)


def test_a_file_moved_in_with_an_old_time_still_has_to_settle(tmp_path: Path) -> None:
    _touch(tmp_path, "old.wav")
    os.utime(tmp_path / "old.wav", (time.time() - 9999, time.time() - 9999))
    assert not has_settled([tmp_path / "old.wav"], 60)


def test_identity_is_the_voice_and_the_face() -> None:
    assert identity_of(A, B) != identity_of(B, A)
    assert identity_of(A, B) != identity_of(A, A)


def test_content_digest_sees_every_role() -> None:
    whole = {"audio": A, "face": B, "transcript": A, "options": B}
    digests = {content_digest_of({**whole, role: "c" * 64}) for role in whole}
    assert len(digests | {content_digest_of(whole)}) == 5


@pytest.mark.parametrize(
    ("stem", "slug"),
    [("Hello World", "hello-world"), ("../../etc", "etc"), ("日本", "upload"), ("a\nb", "a-b"), ("x" * 90, "x" * 40)],
)
def test_production_keys_are_safe_names(stem: str, slug: str) -> None:
    assert production_key(stem, A) == f"{slug}-{A[:16]}"


def test_a_known_identity_keeps_its_first_name() -> None:
    assert known_key(A, ["one-" + B[:16], "two-" + A[:16]]) == "two-" + A[:16]
    assert known_key(A, ["one-" + B[:16]]) is None


def test_hashing_follows_no_link(tmp_path: Path) -> None:
    _touch(tmp_path, "real.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    with pytest.raises(OSError, match="link"):
        digest_of_file(tmp_path / "link.wav")


@pytest.mark.parametrize("name", ["日本.wav", "two\nlines.wav", "-rf.wav", "100%d.wav", "a'b\"$(x).wav", "🎙.wav"])
def test_unusual_names_are_uploads_too(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name)
    (group,) = list_groups(tmp_path)
    assert group.files["audio"].name == name
    assert production_key(group.stem, A).removesuffix(f"-{A[:16]}").replace("-", "").isalnum()


def test_names_that_are_no_text_are_not_seen(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    assert list_groups(tmp_path) == []


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(b"one")
    assert not is_hashed(path)
    first = digest_of_file(path)
    assert is_hashed(path)
    path.write_bytes(b"other")
    assert not is_hashed(path)
    assert digest_of_file(path) != first
