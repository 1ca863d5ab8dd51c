"""Which frames of a shot are trusted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.artifacts import FrameRange
from providers._media.faces import find_faces
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers.lipsync._mouth_shots import _frame_doubts, _Open, ranges
from tests.providers.lipsync.makers import portrait

STILL = np.eye(2, 3)


@pytest.fixture
def mouth(samples: Path) -> MouthLandmarks:
    picture = portrait(samples, 320)
    found = locate_mouth(picture, find_faces(picture)[0])
    assert found is not None
    return found


def shot(looks: list[tuple[int, MouthLandmarks | None]]) -> _Open:
    return _Open(first_frame=0, transforms=[STILL] * 20, looks=looks)


def moved(mouth: MouthLandmarks, half_widths: float) -> MouthLandmarks:
    x, y = mouth.centre_px
    return replace(mouth, centre_px=(x + half_widths * mouth.half_width_px, y))


def doubted(looks: list[tuple[int, MouthLandmarks | None]], mouth: MouthLandmarks) -> list[int]:
    return [index for index, reason in enumerate(_frame_doubts(shot(looks), 0, mouth)) if reason]


def test_a_mouth_where_the_track_says_is_trusted(mouth: MouthLandmarks) -> None:
    assert doubted([(0, mouth), (5, moved(mouth, 0.2)), (10, mouth), (15, mouth)], mouth) == []


def test_a_track_that_slid_off_is_not(mouth: MouthLandmarks) -> None:
    assert doubted([(0, mouth), (5, mouth), (10, moved(mouth, 0.6)), (15, mouth)], mouth) == list(range(6, 15))


def test_one_missed_look_is_forgiven_two_are_not(mouth: MouthLandmarks) -> None:
    assert doubted([(0, mouth), (5, None), (10, mouth), (15, mouth)], mouth) == []
    assert doubted([(0, mouth), (5, None), (10, None), (15, mouth)], mouth) == list(range(1, 15))


def test_an_unsure_mouth_counts_as_missed_a_wide_open_one_does_not(mouth: MouthLandmarks) -> None:
    unsure = replace(mouth, confidence=0.1)
    wide = replace(unsure, lower_inner=mouth.upper_inner + 0.7)
    assert doubted([(0, mouth), (5, unsure), (10, unsure), (15, mouth)], mouth) == list(range(1, 15))
    assert doubted([(0, mouth), (5, wide), (10, wide), (15, mouth)], mouth) == []


def test_ranges_join_neighbours_with_one_reason() -> None:
    assert ranges(["", "a", "a", "b", "", "a"]) == (
        FrameRange(start_frame=1, end_frame_exclusive=3, reason="a"),
        FrameRange(start_frame=3, end_frame_exclusive=4, reason="b"),
        FrameRange(start_frame=5, end_frame_exclusive=6, reason="a"),
    )
    assert ranges([]) == ()
