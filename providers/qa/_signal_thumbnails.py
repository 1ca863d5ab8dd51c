"""Small pictures for what was found: of the middle of each stretch, out of the finished file itself."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from contracts.errors import ProviderRejected
from contracts.qa import Evidence, QACheck
from providers._media.frames_at import frames_at

LONG_SIDE_PX, QUALITY = 192, 70
MOST_OF_A_CHECK, MOST_MOMENTS = 3, 12  # a report is read by people, and every moment is decoded once more
STEP_SECONDS = 0.04  # moments nearer than a frame share a picture


def with_thumbnails(checks: Sequence[QACheck], path: Path, picture_offset_seconds: float) -> tuple[QACheck, ...]:
    """Checks that warn or fail, with pictures of the first stretches of each.

    Args:
        path: of the finished file.
        picture_offset_seconds: of its first picture, in the file's own time.
    """
    moments: list[float] = []
    for place in range(MOST_OF_A_CHECK):
        for check in checks:
            if check.status in {"warn", "fail"} and place < len(check.evidence):
                moments.append(_moment(check.evidence[place], picture_offset_seconds))
    wanted = list(dict.fromkeys(moments))[:MOST_MOMENTS]
    if not wanted:
        return tuple(checks)
    try:
        pictures = frames_at(path, wanted, LONG_SIDE_PX)
    except ProviderRejected:
        return tuple(checks)  # a file so broken has a finding that says so
    shown = {moment: _data_uri(picture) for moment, picture in pictures.items()}
    return tuple(_illustrated(check, shown, picture_offset_seconds) for check in checks)


def _illustrated(check: QACheck, shown: dict[float, str], offset_seconds: float) -> QACheck:
    if check.status not in {"warn", "fail"} or not check.evidence:
        return check
    evidence = tuple(
        item.model_copy(update={"thumbnail": shown.get(_moment(item, offset_seconds), "")})
        if place < MOST_OF_A_CHECK
        else item
        for place, item in enumerate(check.evidence)
    )
    return check.model_copy(update={"evidence": evidence})


def _moment(item: Evidence, offset_seconds: float) -> float:
    middle = (item.start_seconds + item.end_seconds_exclusive) / 2 - offset_seconds
    return round(max(0.0, middle) / STEP_SECONDS) * STEP_SECONDS


def _data_uri(bgr: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(bgr[:, :, ::-1])).save(stream, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
