"""One pass over a file: what was looked at is let go."""

import gc
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from providers.qa._signal_pass import FilePass
from providers.qa._signal_picture import Watcher
from tests.media import make_video


@pytest.mark.requirement("X3")
def test_no_frame_waits_for_the_garbage_collector(tmp_path: Path) -> None:
    """Hundreds of them would: as many as come between two collections, whatever else the program does."""
    path = make_video(tmp_path / "film.mp4", seconds=4)
    gc.collect()
    gc.disable()
    try:
        film = FilePass(lambda _size: Watcher(), 160, lambda done, total, note="": None)
        film.run(path)
        picture = film.picture()
        alive = sum(type(item) is VideoFrame for item in gc.get_objects())
    finally:
        gc.enable()
    assert len(picture.times_seconds) == 100
    assert alive <= 5
