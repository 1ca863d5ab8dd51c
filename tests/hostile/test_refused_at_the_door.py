"""What is no voice and no face: refused at intake, in words, with no visit elsewhere and nothing half-written."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import UploadRejected
from tests.hostile.conftest import CountingServer
from tests.hostile.door import Door
from tests.hostile.forged import lures, png_that_claims, png_with_text_bomb, wav_that_claims, with_bit_errors
from tests.media import make_tone, make_video

Made = Callable[[Path], bytes]
FIVE_HOURS = 5 * 3600


def _silent_video(folder: Path) -> bytes:
    return make_video(folder / "silent.mp4", seconds=0.2).read_bytes()


def _beep(folder: Path) -> bytes:
    return make_tone(folder / "beep.wav", seconds=0.2).read_bytes()


def _song_as_face(folder: Path) -> bytes:
    return make_tone(folder / "song.m4a", seconds=0.2).read_bytes()


def _cut_video(folder: Path) -> bytes:
    return make_video(folder / "cut.mp4", faststart=False).read_bytes()[:-900]


def _old_codec(folder: Path) -> bytes:
    return make_video(folder / "old.avi", codec="wmv2", seconds=0.2).read_bytes()


def _late_frame(folder: Path) -> bytes:
    return make_video(folder / "late.mp4", times_seconds=[0, FIVE_HOURS]).read_bytes()


VOICES: dict[str, tuple[Made, str]] = {
    "one byte": (lambda _: b"x", "expected sound, got text"),
    "zeros": (lambda _: bytes(5000), "expected sound, got data"),
    "prose": (lambda _: b"Dear Sir or Madam,\n" * 9, "expected sound, got text"),
    "header only": (lambda folder: _beep(folder)[:44], "one that does not open"),
    "half a header": (lambda folder: _beep(folder)[:20], "does not open"),
    "rate of 1 Hz": (lambda _: wav_that_claims(rate_hz=1), "sample rate of 4000 to 384000 Hz, got 1"),
    "rate of 2 GHz": (lambda _: wav_that_claims(rate_hz=2_000_000_000), "sample rate of 4000 to 384000 Hz"),
    "no channels": (lambda _: wav_that_claims(channels=0), "the audio cannot be used"),
    "sixty thousand channels": (lambda _: wav_that_claims(channels=60_000), "the audio cannot be used"),
    "a million bits a sample": (lambda _: wav_that_claims(bits=65_535), "the audio cannot be used"),
    "one sample": (lambda _: wav_that_claims(held=2), "at least 0.01 s of sound, got 1 samples at 48000 Hz"),
    "a silent video": (_silent_video, "expected sound, got video"),
    "zip": (lambda _: b"PK\x03\x04" + bytes(400), "expected sound, got data"),
    "program": (lambda _: b"\x7fELF" + bytes(400), "expected sound, got data"),
    "noise": (lambda _: with_bit_errors(bytes(4000), 3, 1), "the audio cannot be used"),
}
FACES: dict[str, tuple[Made, str]] = {
    "empty": (lambda _: b"", "expected a file with content, got 0 bytes"),
    "zeros": (lambda _: bytes(5000), "expected a picture or a video, got data"),
    "pixel bomb": (lambda _: png_that_claims(60_000, 60_000), "expected a picture up to 120000000 pixels"),
    "greatest sides": (lambda _: png_that_claims(2**31 - 1, 2**31 - 1), "the face cannot be used"),
    "no width": (lambda _: png_that_claims(0, 10), "the face cannot be used"),
    "less than it claims": (lambda _: png_that_claims(3000, 3000), "expected a whole picture"),
    "bomb in a comment": (lambda _: png_with_text_bomb(), "got one whose comments unpack to megabytes"),
    "a frame after five hours": (_late_frame, "expected at most 14400 s, got at least 18000 s"),
    "only sound": (_song_as_face, "expected a picture or a video, got audio"),
    "cut video": (_cut_video, "its index is missing"),
    "unusual codec": (_old_codec, "got wmv2; convert the file"),
    "cut jpeg marker": (lambda _: b"\xff\xd8\xff\xe0" + bytes(10), "picture"),
    "half of webp": (lambda _: b"RIFF\x20\x00\x00\x00WEBPVP8 ", "picture"),
}


@pytest.fixture
def voice(door: Door) -> Path:
    path = door.made / "voice.wav"
    return path if path.exists() else make_tone(path, seconds=0.3)


@pytest.mark.parametrize("name", VOICES)
def test_voice_that_is_none(name: str, door: Door) -> None:
    make, sentence = VOICES[name]
    with pytest.raises(UploadRejected, match=re.escape(sentence)):
        door.knock(talk__wav=make(door.made))


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("ending", ["png", "mp4"])
def test_face_that_is_none(name: str, ending: str, door: Door, voice: Path) -> None:
    make, sentence = FACES[name]
    with pytest.raises(UploadRejected, match=re.escape(sentence)):
        door.drop({"talk.wav": voice, f"talk.{ending}": make(door.made)})


@pytest.mark.parametrize("name", list(lures("")))
@pytest.mark.parametrize(("ending", "role"), [("wav", "audio"), ("mp4", "face"), ("png", "face")])
def test_file_that_points_elsewhere(
    name: str, ending: str, role: str, door: Door, voice: Path, server: CountingServer
) -> None:
    """Refused as what it is, and nobody goes where it points."""
    content = lures(server.address)[name]
    files = {f"talk.{ending}": content} if role == "audio" else {"talk.wav": voice, f"talk.{ending}": content}
    with pytest.raises(UploadRejected, match=f"the {role} cannot be used: expected .*, got text"):
        door.drop(files)
    assert server.visits == 0


@pytest.mark.parametrize("name", ["a playlist", "a list of other files", "a session description (SDP)"])
def test_lure_behind_a_music_tag(name: str, door: Door, server: CountingServer) -> None:
    with pytest.raises(UploadRejected, match="the audio cannot be used"):
        door.knock(talk__mp3=b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + lures(server.address)[name])
    assert server.visits == 0
