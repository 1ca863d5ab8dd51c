"""Thumbnails fit where only small values are shown at once, and are pictures of what they say."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from providers._media.previews import waveform_png
from providers._media.thumbnails import MAX_CHARS, thumbnail_data_uri


def _opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/webp;base64,"))))


def test_thumbnail_of_a_face_is_small_and_still_that_picture(samples: Path) -> None:
    uri = thumbnail_data_uri((samples / "presenter.png").read_bytes())
    assert 0 < len(uri) <= MAX_CHARS
    with _opened(uri) as small, Image.open(samples / "presenter.png") as whole:
        assert min(small.size) >= 64
        expected = np.asarray(whole.convert("L").resize(small.size), dtype=float)
        found = np.asarray(small.convert("L"), dtype=float)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.95


def test_noise_still_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    assert 0 < len(thumbnail_data_uri(stream.getvalue())) <= MAX_CHARS


def test_thumbnail_of_a_waveform_is_wide(samples: Path) -> None:
    with _opened(thumbnail_data_uri(waveform_png(samples / "voice_short.wav"))) as small:
        assert small.width > 3 * small.height
