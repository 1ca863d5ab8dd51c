"""Still pictures: upright, over white, bounded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts.errors import ProviderRejected
from providers._media.frames import is_picture, read_picture
from providers._media.probe import probe
from tests.media import CORNERS, corner_colours, numbered_picture, truncate


def rgb_image(width: int = 160, height: int = 120) -> Image.Image:
    return Image.fromarray(numbered_picture(width, height, 0)[:, :, ::-1].copy())


_TURN_BACK = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("orientation", list(_TURN_BACK))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_camera_orientation_is_applied(orientation: int, suffix: str, tmp_path: Path) -> None:
    image = rgb_image()
    for step in _TURN_BACK[orientation]:
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"face{suffix}"
    image.save(path, exif=exif)
    picture = read_picture(path)
    assert picture.shape == (120, 160, 3)
    assert corner_colours(picture) == CORNERS
    info = probe(path).video
    assert (info.width, info.height, info.fps, info.frame_count) == (160, 120, 0, 1)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(tmp_path / "x.png")
    assert (read_picture(tmp_path / "x.png") == 255).all()
    half = Image.new("RGBA", (20, 10), (0, 0, 0, 128))
    half.save(tmp_path / "y.png")
    assert np.abs(read_picture(tmp_path / "y.png").astype(int) - 127).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "I;16"])
def test_every_common_mode_comes_out_as_bgr(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((10, 20), 65_535, np.uint16))
    else:
        image = Image.new("RGB", (20, 10), "white").convert(mode)
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    image.save(path)
    picture = read_picture(path)
    assert picture.shape == (10, 20, 3)
    assert picture.dtype == np.uint8
    assert picture.min() >= 253


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    Image.fromarray(np.full((10, 20), 32_768, np.uint16)).save(tmp_path / "x.png")
    assert np.abs(read_picture(tmp_path / "x.png").astype(int) - 127).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_large_picture_is_scaled_by_its_long_side(suffix: str, tmp_path: Path) -> None:
    rgb_image(1600, 1200).save(tmp_path / f"x{suffix}")
    picture = read_picture(tmp_path / f"x{suffix}", max_long_side=400)
    assert picture.shape == (300, 400, 3)
    assert corner_colours(picture) == CORNERS


def test_half_a_picture_is_refused(samples: Path, tmp_path: Path) -> None:
    path = truncate(samples / "presenter.png", tmp_path / "x.png", 0.5)
    for read in (read_picture, probe):
        with pytest.raises(ProviderRejected, match="expected a whole picture"):
            read(path)


def test_other_picture_formats_are_refused(tmp_path: Path) -> None:
    rgb_image().save(tmp_path / "x.bmp")
    with pytest.raises(ProviderRejected, match="expected a PNG, JPEG or WebP"):
        read_picture(tmp_path / "x.bmp")


def test_media_type_tells_a_picture() -> None:
    assert is_picture("image/png")
    assert not is_picture("video/mp4")
