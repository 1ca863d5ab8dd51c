"""A long file takes no more memory than a short one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from providers._media.audio import read_audio_blocks
from providers._media.frames import read_frames
from providers._media.previews import Previews
from providers._media.survey import survey
from tests.media import make_video, tone

_SECONDS = 60
_KEPT_WOULD_TAKE = 1500 * 160 * 120 * 3
"""Bytes of all frames of the long video together; its sound is a quarter of that."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "x.mp4"
    return make_video(path, seconds=_SECONDS, audio=tone(_SECONDS, 48_000, 2), crf=40)


@pytest.mark.requirement("X3")
@pytest.mark.parametrize(
    "read",
    [
        read_frames,
        lambda path: read_frames(path, fps=30),
        lambda path: read_audio_blocks(path, block_seconds=0.05),
    ],
    ids=["frames", "resampled frames", "sound"],
)
def test_reading_a_minute_keeps_nothing(read: Callable[[Path], Iterator[object]], long_video: Path) -> None:
    """Tolerance: an eighth of what keeping every frame would take; caches of the allocator are far below."""
    early = late = 0
    for number, _ in enumerate(read(long_video)):
        if number == 200:
            early = resident_bytes()
        late = resident_bytes() if number > 1000 else late
    assert late
    assert late - early < _KEPT_WOULD_TAKE / 8


@pytest.mark.requirement("X3")
def test_previews_of_a_minute_keep_a_bounded_number_of_frames(long_video: Path, tmp_path: Path) -> None:
    """Between 18 and 36 frames are kept, whatever the length; a short video first fills the allocator's caches."""
    short = make_video(tmp_path / "short.mp4", seconds=2, audio=tone(2, 48_000, 2), crf=40)
    held: list[Previews] = []
    sizes: list[int] = []
    for path in (short, short, long_video):
        held.append(Previews())
        survey(path, held[-1].visitors)
        assert held[-1].contact_sheet()
        sizes.append(resident_bytes())
    assert sizes[2] - sizes[1] < _KEPT_WOULD_TAKE / 8
