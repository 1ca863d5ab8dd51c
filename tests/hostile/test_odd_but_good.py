"""Odd recordings and faces that are none the less fine: admitted at the door, with facts that are true."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.upload import UploadResult
from tests.hostile.door import Door
from tests.hostile.forged import wav_that_claims
from tests.media import make_song_with_cover, make_sound, make_tone, make_video, tone

Make = Callable[[Path], Path]
Facts = dict[str, object]


def _pcm(samples: np.ndarray, rate_hz: int = 16_000) -> Make:
    return lambda folder: make_sound(folder / "pcm.wav", samples.astype(np.float32), rate_hz)


def _bytes(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _renamed(make: Make, name: str) -> Make:
    return lambda folder: make(folder).rename(folder / name)


def _still(name: str, picture: np.ndarray) -> Make:
    def make(folder: Path) -> Path:
        assert cv2.imwrite(str(folder / name), picture)
        return folder / name

    return make


def _two_faces(folder: Path) -> Path:
    face = cv2.imread(str(Path(__file__).parent.parent.parent / "samples/presenter.png"))
    face = cv2.resize(face, (300, 300))
    return _still("two.png", np.hstack([face, face[:, ::-1]]))(folder)


NOISE = np.random.default_rng(1).normal(0, 0.3, (1, 3200))
VOICES: dict[str, tuple[Make, Facts]] = {
    "ten milliseconds": (_pcm(tone(0.01, 16_000)), {"sample_count": 160}),
    "digital silence": (_pcm(np.zeros((1, 1600))), {"sample_count": 1600}),
    "all clipped": (_pcm(np.sign(NOISE)), {"sample_count": 3200}),
    "8 kHz": (_pcm(tone(0.2, 8_000), 8_000), {"sample_rate_hz": 8_000}),
    "96 kHz": (_pcm(tone(0.1, 96_000), 96_000), {"sample_rate_hz": 96_000}),
    "5.1": (_pcm(tone(0.2, 16_000, 6)), {"channels": 6}),
    "more than it holds": (_bytes("lie.wav", wav_that_claims(data_bytes=2**31)), {}),
    "streamed, no length": (_bytes("stream.wav", wav_that_claims(data_bytes=0xFFFFFFFF)), {"sample_count": 4800}),
    "odd count of bytes": (_bytes("odd.wav", wav_that_claims(held=9601)), {"sample_count": 4800}),
    "mp3 named wav": (_renamed(lambda folder: make_tone(folder / "t.mp3", seconds=0.2), "n.wav"), {"codec": "mp3"}),
    "video named wav": (
        _renamed(lambda folder: make_video(folder / "v.mp4", seconds=0.2, audio=tone(0.2, 48_000)), "v.wav"),
        {"codec": "aac"},
    ),
    "with a cover": (lambda folder: make_song_with_cover(folder / "cover.mp3"), {"codec": "mp3"}),
}
FACES: dict[str, tuple[Make, Facts]] = {
    "one frame": (lambda folder: make_video(folder / "one.mp4", seconds=0.04), {"frame_count": 1}),
    "no face": (lambda folder: make_video(folder / "none.mp4", seconds=0.2), {"frame_count": 5}),
    "two faces": (_two_faces, {"width": 600}),
    "one pixel": (_still("dot.png", np.zeros((1, 1, 3), np.uint8)), {"width": 1, "height": 1}),
    "16 bits a channel": (_still("deep.png", np.zeros((20, 20, 3), np.uint16)), {"width": 20}),
    "transparent": (_still("clear.png", np.zeros((20, 20, 4), np.uint8)), {"width": 20}),
    "very wide": (_still("wide.png", np.zeros((2, 4000, 3), np.uint8)), {"width": 4000}),
    "10 bits": (
        lambda folder: make_video(folder / "deep.mp4", seconds=0.2, pixel_format="yuv420p10le"),
        {"pixel_format": "yuv420p10le"},
    ),
    "rotated": (
        lambda folder: make_video(folder / "turned.mp4", seconds=0.2, rotation_degrees=90),
        {"rotation_degrees": 90, "width": 160, "height": 120},
    ),
    "anamorphic": (
        lambda folder: make_video(folder / "wide.mp4", seconds=0.2, pixel_aspect=Fraction(4, 3)),
        {"height": 120},
    ),
    "interlaced": (
        lambda folder: make_video(folder / "fields.mp4", seconds=0.2, width=192, height=128, interlaced=True),
        {"frame_count": 5},
    ),
    "variable rate": (
        lambda folder: make_video(folder / "vfr.mp4", times_seconds=[0, 0.02, 0.2, 0.21, 0.6]),
        {"frame_count": 5, "variable_frame_rate": True},
    ),
    "late start": (lambda folder: make_video(folder / "late.mp4", seconds=0.2, start_seconds=3), {"frame_count": 5}),
    "png named mp4": (_renamed(_two_faces, "named.mp4"), {"codec": "png"}),
    "something behind its end": (
        _bytes("tail.png", cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes() + b"<script>" * 99),
        {"width": 9},
    ),
}


def check(upload: UploadResult, role: str, facts: Facts) -> None:
    media = upload.audio_track.media if role == "audio" else upload.video_stub.media
    assert media is not None
    found = media.audio if role == "audio" else media.video
    assert found is not None
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize("name", VOICES)
def test_voice(name: str, door: Door, tmp_path: Path) -> None:
    make, facts = VOICES[name]
    path = make(tmp_path)
    check(door.drop({f"talk{path.suffix}": path}), "audio", facts)


@pytest.mark.parametrize("name", FACES)
def test_face(name: str, door: Door, tmp_path: Path) -> None:
    make, facts = FACES[name]
    path = make(tmp_path)
    voice = make_tone(tmp_path / "voice.wav", seconds=0.2)
    check(door.drop({"talk.wav": voice, f"talk{path.suffix}": path}), "face", facts)
