"""The title on the picture, and what the file says of itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts.production import DeliveryProfile
from providers._media.frames import read_frames
from providers._media.probe import probe
from providers.video.pyav import PyAVAssemblyProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.providers.video.conftest import Assemble
from tests.providers.video.makers import make_sound, make_video, speechlike

HOSTILE = "50% 'off' : {\\b1} %{pts} \\ \"x\"; drawtext=text=1\nnext"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return make_sound(tmp_path / "voice.wav", speechlike(4.0)[None])


def test_a_title_stands_on_the_first_seconds_only(assemble: Assemble, sound: Path, tmp_path: Path) -> None:
    face = make_video(tmp_path / "face.mp4", size=(160, 120), count=100)
    plain, titled = assemble(face, sound)[1], assemble(face, sound, title=HOSTILE)
    assert not titled[0].metrics.video_copied
    before = [frame.bgr.astype(float) for frame in read_frames(plain)]
    after = [frame.bgr.astype(float) for frame in read_frames(titled[1])]
    assert len(before) == len(after) == 100
    changed = np.array([np.abs(a - b)[80:].mean() for a, b in zip(before, after, strict=True)])
    assert changed[:50].min() > 10
    assert changed[51] > changed[55] > changed[58]  # fading: shown for 2.4 s, three fifths of the sound
    assert changed[60:].max() < 3
    untouched = np.abs(after[20] - before[20])[:60].mean()
    assert untouched < 3


def test_a_still_carries_its_title_too(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=160)
    _, path = assemble(samples / "presenter.png", sound, profile=profile, title="Hello")
    frames = [frame.bgr.astype(float) for frame in read_frames(path)]
    assert len(frames) == 100
    assert np.abs(frames[10] - frames[90])[120:, :80].mean() > 10
    assert np.abs(frames[10] - frames[90])[:80].mean() < 2


def test_a_title_gives_way_to_a_face(assemble: Assemble, sound: Path, samples: Path, tmp_path: Path) -> None:
    with Image.open(samples / "presenter.png") as face:
        width, height = face.size
        face.crop((0, 0, width, round(height * 0.6))).save(tmp_path / "close.png")  # the chin is at the lower edge
    profile = DeliveryProfile(preset="ultrafast", max_long_side=320)
    title = "A title of two lines or so, over all of the width"
    _, path = assemble(tmp_path / "close.png", sound, profile=profile, title=title)
    frames = [frame.bgr.astype(float) for frame in read_frames(path)]
    changed = np.abs(frames[10] - frames[90]).mean(axis=(1, 2))
    assert changed[: changed.size // 3].mean() > 10
    assert changed[changed.size // 2 :].mean() < 2


def test_a_character_without_a_glyph_is_noted(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    result, _ = assemble(samples / "presenter.png", sound, profile=profile, title="Hi 漢")
    assert "漢" in result.notes[0]


@pytest.mark.requirement("X15")
def test_the_file_says_that_it_is_synthetic_and_what_made_it(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    _, path = assemble(samples / "presenter.png", sound, profile=profile, title=HOSTILE)
    tags = probe(path).tags
    assert tags["title"] == HOSTILE.replace("\n", " ")  # probing joins lines
    assert "ynthetic media" in tags["comment"]
    assert "Sparkle" in tags["comment"]
    assert tags["synthetic"] == "true"
    assert tags["tool"].startswith("Sparkle 0.")
    assert tags["production"] == "demo-0123456789abcdef"
    assert tags["digest"] == "ab" * 32
    assert "creation_time" not in tags


def test_an_empty_title_is_no_label(assemble: Assemble, sound: Path, samples: Path) -> None:
    profile = DeliveryProfile(preset="ultrafast", max_long_side=64)
    _, path = assemble(samples / "presenter.png", sound, profile=profile)
    assert "title" not in probe(path).tags


def test_the_poster_is_a_picture_of_the_video(
    assemble: Assemble, sound: Path, samples: Path, store: LocalArtifactStore
) -> None:
    result, _ = assemble(samples / "presenter.png", sound, profile=DeliveryProfile(preset="ultrafast"))
    assert result.poster is not None
    assert result.poster.media_type == "image/jpeg"
    with Image.open(store.fetch(result.poster)) as poster, Image.open(samples / "presenter.png") as face:
        size = (64, 64)
        shown = np.asarray(poster.convert("RGB").resize(size), float)
        assert np.abs(shown - np.asarray(face.convert("RGB").resize(size), float)).mean() < 6


def test_a_font_that_is_not_there_makes_the_provider_unavailable(tmp_path: Path) -> None:
    options = PyAVAssemblyProvider.Options(title_font=tmp_path / "none.ttf")
    assert "title_font" in (PyAVAssemblyProvider.unavailable(options) or "")
