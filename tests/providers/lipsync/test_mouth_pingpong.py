"""A video shorter than the sound goes back and forth; a longer one is cut."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from providers.lipsync._mouth_pingpong import played_frames, played_indices

Picture = npt.NDArray[np.uint8]


def numbered(count: int, shape: tuple[int, ...] = (16, 16, 3)) -> list[Picture]:
    return [np.full(shape, 4 * index, np.uint8) for index in range(count)]


@pytest.mark.parametrize(
    ("source", "wanted", "bounce", "expected"),
    [
        (4, 3, 100, [0, 1, 2]),
        (4, 4, 100, [0, 1, 2, 3]),
        (4, 12, 100, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1]),
        (1, 4, 100, [0, 0, 0, 0]),
        (5, 12, 3, [0, 1, 2, 3, 4, 3, 2, 3, 4, 3, 2, 3]),
        (5, 8, 1, [0, 1, 2, 3, 4, 4, 4, 4]),
    ],
)
def test_order(source: int, wanted: int, bounce: int, expected: list[int]) -> None:
    assert list(played_indices(source, wanted, bounce)) == expected


@pytest.mark.parametrize("shape", [(16, 16, 3), (24, 16)], ids=["bgr", "planar"])
def test_frames_come_back_as_they_were(tmp_path: Path, shape: tuple[int, ...]) -> None:
    played = list(played_frames(numbered(5, shape), 5, 14, tmp_path, bounce=3))
    assert [index for index, _ in played] == list(played_indices(5, 14, 3))
    for index, picture in played:
        assert picture.shape == shape
        assert abs(float(picture.mean()) - 4 * index) < 2
    assert list(tmp_path.iterdir()) == [], "the temporary file is gone"


def test_no_more_is_decoded_than_is_shown(tmp_path: Path) -> None:
    taken: list[int] = []

    def watched() -> Iterator[Picture]:
        for index, picture in enumerate(numbered(50)):
            taken.append(index)
            yield picture

    list(played_frames(watched(), 50, 3, tmp_path))
    assert max(taken) <= 3
