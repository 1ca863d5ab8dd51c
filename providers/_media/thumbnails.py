"""Pictures so small that they fit where only small values are shown at once."""

import base64
import io

from PIL import Image

MAX_CHARS = 900  # Dagster's UI folds Markdown of 1,000 characters and more away
_LONG_SIDES = (160, 128, 96, 80, 64, 48, 32)
_QUALITIES = (60, 35, 20)


def thumbnail_data_uri(picture: bytes) -> str:
    """The largest and best WebP of a picture (JPEG or PNG made by us) whose data URI has at most 900 characters."""
    with Image.open(io.BytesIO(picture)) as image:
        source = image.convert("RGB")
    for long_side in _LONG_SIDES:
        small = source.copy()
        small.thumbnail((long_side, long_side))
        for quality in _QUALITIES:
            stream = io.BytesIO()
            small.save(stream, "WEBP", quality=quality, method=6)
            uri = f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
            if len(uri) <= MAX_CHARS:
                return uri
    return ""
