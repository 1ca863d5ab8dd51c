"""Files that were cut off or damaged on their way: each is read as far as it goes, or refused in words. In process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ProviderRejected
from providers._media.audio import read_audio
from providers._media.frames import read_frames
from providers._media.stills import read_picture
from providers._media.survey import survey
from tests.hostile.forged import with_bit_errors
from tests.media import make_tone, make_video, numbered_picture, tone

SHARES = (0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999)
MOST_SECONDS = 0.7
"""Nothing that is made here is longer, so nothing that is read of its beginning may be."""


def _mp4(folder: Path) -> Path:
    return make_video(folder / "whole.mp4", seconds=0.5, audio=tone(0.5, 48_000))


def _late_index(folder: Path) -> Path:
    return make_video(folder / "late.mp4", seconds=0.5, faststart=False)


def _webm(folder: Path) -> Path:
    return make_video(folder / "whole.webm", seconds=0.5, codec="libvpx-vp9")


def _png(folder: Path) -> Path:
    return _still(folder / "whole.png")


def _jpeg(folder: Path) -> Path:
    return _still(folder / "whole.jpg")


def _webp(folder: Path) -> Path:
    return _still(folder / "whole.webp")


def _still(path: Path) -> Path:
    import cv2

    assert cv2.imwrite(str(path), numbered_picture(96, 64))
    return path


def _sound(ending: str) -> Callable[[Path], Path]:
    return lambda folder: make_tone(folder / f"whole.{ending}", seconds=0.5)


WHOLE: dict[str, Callable[[Path], Path]] = {
    "mp4": _mp4,
    "mp4 with a late index": _late_index,
    "webm": _webm,
    "png": _png,
    "jpeg": _jpeg,
    "webp": _webp,
    **{ending: _sound(ending) for ending in ("wav", "flac", "mp3", "m4a", "ogg")},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    made: dict[str, bytes] = {}

    def content(name: str) -> bytes:
        if name not in made:
            made[name] = WHOLE[name](tmp_path_factory.mktemp("whole")).read_bytes()
        return made[name]

    return content


def read_all(path: Path, most_seconds: float = 4 * 3600) -> str:
    """Everything that later nodes read of a file: ``good``, or the sentence of the refusal."""
    try:
        info = survey(path)
        assert info.duration_seconds <= most_seconds, "a length that no frame and no sample fills"
        if info.kind == "image":
            assert read_picture(path).size
        elif info.audio:
            samples = read_audio(path)
            assert np.isfinite(samples).all()
        if info.kind == "video":
            assert all(frame.bgr.size for frame in read_frames(path, fps=25))
    except ProviderRejected as refusal:
        return str(refusal)
    return "good" if info.kind in {"audio", "video", "image"} else info.kind


def check(outcome: str, path: Path) -> None:
    """Good, known for something else, or a sentence with what was expected and what came."""
    if outcome not in {"good", "text", "data"}:
        assert outcome.startswith("expected ")
        assert ", got " in outcome
        assert path.name not in outcome
        assert str(path.parent) not in outcome


@pytest.mark.parametrize("name", WHOLE)
def test_whole_file_is_good(name: str, whole: Callable[[str], bytes], tmp_path: Path) -> None:
    (path := tmp_path / "qzq").write_bytes(whole(name))
    assert read_all(path) == "good"


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", WHOLE)
def test_cut_off(name: str, share: float, whole: Callable[[str], bytes], tmp_path: Path) -> None:
    content = whole(name)
    (path := tmp_path / "qzq").write_bytes(content[: max(1, int(len(content) * share))])
    check(read_all(path, MOST_SECONDS), path)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.0005, 0.01])
@pytest.mark.parametrize("name", WHOLE)
def test_bit_errors(name: str, share: float, seed: int, whole: Callable[[str], bytes], tmp_path: Path) -> None:
    (path := tmp_path / "qzq").write_bytes(with_bit_errors(whole(name), share, seed))
    check(read_all(path), path)
