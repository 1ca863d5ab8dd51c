"""The kit's own media: what they are, and that they are the samples' (whose origin is in samples/SOURCES.md)."""

import wave
from pathlib import Path

import cv2
import numpy as np

from contracts.artifacts import ArtifactRef
from providers._media.probe import probe
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.requests import MEDIA, VOICE_SECONDS, SmallMedia

JPEG_LEVELS = 3.0
"""Mean difference that JPEG makes at this quality."""


def test_the_voice_begins_the_short_sample(samples: Path) -> None:
    with wave.open(str(MEDIA / "voice.wav")) as kept, wave.open(str(samples / "voice_short.wav")) as whole:
        assert kept.getnframes() == round(VOICE_SECONDS * 16_000)
        assert kept.readframes(kept.getnframes()) == whole.readframes(kept.getnframes())


def test_the_face_is_the_presenter(samples: Path) -> None:
    kept = cv2.imread(str(MEDIA / "face.jpg"))
    whole = cv2.resize(cv2.imread(str(samples / "presenter.png")), (320, 320), interpolation=cv2.INTER_AREA)
    assert np.abs(kept.astype(int) - whole).mean() < JPEG_LEVELS


def test_the_film_is_a_video_with_the_voice(sparkle_media: SmallMedia, store: LocalArtifactStore) -> None:
    film: ArtifactRef = sparkle_media.film
    info = probe(store.fetch(film))
    assert info.video is not None
    assert info.audio is not None
    assert abs(info.video.duration_seconds - VOICE_SECONDS) < 0.05
