"""Still pictures, by an image library that knows no protocols: PNG, JPEG, WebP."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from contracts.errors import ProviderRejected
from providers._media.limits import DEFAULT_LIMITS, MediaLimits
from providers._media.opening import reason
from providers._media.picture_geometry import fitted

_FORMATS = ("PNG", "JPEG", "WEBP")
"""A JPEG with a second picture behind it, as some phones write (MPO), comes with JPEG; the first is read."""


def is_picture(ref_or_media_type: str) -> bool:
    """Whether a media type names a still picture."""
    return ref_or_media_type.startswith("image/")


def read_picture(path: Path, *, max_long_side: int | None = None) -> npt.NDArray[np.uint8]:
    """uint8 (H, W, 3), BGR, upright, transparency over white.

    Raises:
        ProviderRejected: no PNG, JPEG or WebP, damaged, or more pixels than the limit.
    """
    with open_picture(path) as image:
        if max_long_side is not None:
            image.draft("RGB", (max_long_side, max_long_side))  # JPEG only: decode at a coarser scale, never below
        upright = ImageOps.exif_transpose(image)
        rgb = np.asarray(_over_white(upright))
    return fitted(np.ascontiguousarray(rgb[:, :, ::-1]), max_long_side)


@contextmanager
def open_picture(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> Generator[Image.Image, None, None]:
    """An opened, not yet decoded picture within the limits; reading it in the body may fail the same way."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > limits.max_picture_pixels:
                    raise ProviderRejected(
                        f"expected a picture up to {limits.max_picture_pixels} pixels, got {width}x{height}"
                    )
                yield image
    except UnidentifiedImageError as error:
        raise ProviderRejected("expected a PNG, JPEG or WebP picture, got something else") from error
    except Image.DecompressionBombError as error:
        raise ProviderRejected(f"expected a picture up to {limits.max_picture_pixels} pixels, got far more") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if "MAX_TEXT" in str(error):
            raise ProviderRejected(
                "expected a picture with short comments, got one whose comments unpack to megabytes; export it again"
            ) from error
        raise ProviderRejected(
            f"expected a whole picture, got one that does not decode ({reason(error)}); export it again"
        ) from error


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return Image.fromarray((np.asarray(image).astype(np.float32) / 257).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
