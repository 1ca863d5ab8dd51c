"""Previews: they show what is there, in memory that does not grow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts.errors import ProviderRejected
from providers._media.previews import contact_sheet_jpeg, poster_jpeg, time_label, waveform_png
from providers._media.sampling import EnvelopeSampler
from tests.media import CORNERS, corner_colours, frame_number, make_sound, make_tone, make_video, numbered_picture, tone


def bgr(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[:, :, ::-1]


def test_poster_is_upright_and_bounded(tmp_path: Path) -> None:
    poster = bgr(poster_jpeg(make_video(tmp_path / "x.mp4", seconds=0.2, width=1280, height=720, rotation_degrees=180)))
    assert poster.shape == (360, 640, 3)
    assert corner_colours(poster) == CORNERS


def test_poster_of_a_picture_is_the_picture(samples: Path) -> None:
    poster = Image.open(io.BytesIO(poster_jpeg(samples / "presenter.png")))
    assert (poster.format, poster.size) == ("JPEG", (640, 640))


def test_poster_avoids_the_dark(tmp_path: Path) -> None:
    dark = [np.zeros((120, 160, 3), np.uint8)] * 15 + [numbered_picture(160, 120, 1)] * 10
    assert bgr(poster_jpeg(make_video(tmp_path / "x.mp4", pictures=dark))).mean() > 60


@pytest.mark.parametrize(("frames", "cells"), [(1, 1), (5, 5), (18, 18), (100, 18)])
def test_contact_sheet_covers_the_whole_length(frames: int, cells: int, tmp_path: Path) -> None:
    """Cells are 240x180 and a caption of 20, four pixels apart."""
    path = make_video(tmp_path / "x.mp4", seconds=frames / 25, width=320, height=240)
    sheet = bgr(contact_sheet_jpeg(path))
    columns, rows = min(6, cells), -(-cells // 6)
    assert sheet.shape == (4 + rows * 204, 4 + columns * 244, 3)
    for cell in range(cells):
        y, x = 4 + cell // 6 * 204, 4 + cell % 6 * 244
        assert corner_colours(sheet[y : y + 180, x : x + 240]) == CORNERS, cell
        shown = frame_number(sheet[y : y + 180, x : x + 240])
        assert shown == pytest.approx(cell * (frames - 1) / max(cells - 1, 1), abs=frames / 18), cell


def test_waveform_shows_where_the_sound_is(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros((1, 16_000), np.float32), tone(1, 16_000)], axis=1)
    picture = bgr(waveform_png(make_sound(tmp_path / "x.wav", sound, 16_000)))
    ink = (picture[:, :, 0].astype(int) - picture[:, :, 2] > 60).sum(axis=0)  # the sound is drawn in blue
    width = len(ink)
    assert ink[20 : width // 2 - 20].max() <= 2
    assert ink[width // 2 + 20 : width - 20].min() > 50
    assert picture[195:, :2].min() == picture[195:, -2:].min() == 255, "no label is cut"


def test_curve_is_drawn_on_the_sounds_time_axis(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "x.wav", seconds=2)
    curve = (25.0, [0.0] * 25 + [1.0] + [0.0] * 24)
    picture = bgr(waveform_png(path, curve)).astype(int)
    orange = (picture[:, :, 2] - picture[:, :, 0] > 90)[30:60]  # upper part, below the legend
    columns = np.nonzero(orange.any(axis=0))[0]
    assert columns.mean() == pytest.approx(12 + 1176 / 2, abs=12)


def test_equal_files_give_equal_previews(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", audio=tone(1, 48_000))
    for preview in (poster_jpeg, contact_sheet_jpeg, waveform_png):
        assert preview(path) == preview(path)


def test_preview_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    sound, silent = make_tone(tmp_path / "x.wav", seconds=0.1), make_video(tmp_path / "x.mp4", seconds=0.1)
    for preview, path in ((poster_jpeg, sound), (contact_sheet_jpeg, sound), (waveform_png, silent)):
        with pytest.raises(ProviderRejected):
            preview(path)


def test_envelope_of_any_length_stays_small_and_true() -> None:
    sampler = EnvelopeSampler()
    block = np.zeros(16_000, np.float32)
    for second in range(300):
        block[8000] = 0.9 if second == 200 else 0.1
        sampler.add(block)
    envelope = sampler.envelope()
    assert len(envelope.high) <= 8192
    assert envelope.duration_seconds == 300
    peak = int(np.argmax(envelope.high)) / len(envelope.high) * 300
    assert peak == pytest.approx(200.5, abs=0.2)


def test_time_labels() -> None:
    assert [time_label(t) for t in (0, 3.24, 59.999, 3723.5)] == ["0:00.00", "0:03.24", "1:00.00", "1:02:03.50"]
