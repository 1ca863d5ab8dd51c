"""What would take too much processor time or memory is ended by the kernel, and refused in words."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from contracts.errors import UploadRejected
from tests.hostile.conftest import open_door
from tests.hostile.door import Door
from tests.media import make_tone

CPU_SECONDS, MEMORY = 1, "100MiB"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    bounds = f"\n  media: {{pyav: {{max_cpu_s: {CPU_SECONDS}, max_memory: {MEMORY}}}}}\n  lipsync:\n"
    with open_door(tmp_path_factory.mktemp("bounds"), {"\n  lipsync:\n": bounds}) as opened:
        yield opened


def test_file_that_takes_long_to_decode_is_ended(door: Door) -> None:
    """An hour of sound, of which every frame has to be decoded to know the facts."""
    second = make_tone(door.made / "tone.mp3", seconds=1).read_bytes()
    with pytest.raises(UploadRejected, match=r"the audio cannot be used: .*expected less processor time"):
        door.knock(talk__mp3=second * 3600)


def test_picture_that_fills_the_memory_is_refused(door: Door) -> None:
    """Within the limit of pixels, but more bytes than this installation gives one file."""
    packed = cv2.imencode(".png", np.zeros((7000, 7000, 3), np.uint8))[1].tobytes()
    voice = make_tone(door.made / "voice.wav", seconds=0.2)
    with pytest.raises(UploadRejected, match=r"expected a file that is read in 100 MiB of memory, got one that needs"):
        door.knock(talk__wav=voice, talk__png=packed)


def test_what_fits_is_admitted(door: Door) -> None:
    """The bounds themselves harm nobody."""
    assert door.knock(talk__wav=make_tone(door.made / "short.wav", seconds=0.3)).audio_track.media is not None
