"""Which frames are left alone, and why."""

from contracts.artifacts import FrameRange
from providers.lipsync._mouth_shots import ranges


def test_ranges_join_neighbours_with_one_reason() -> None:
    assert ranges(["", "a", "a", "b", "", "a"]) == (
        FrameRange(start_frame=1, end_frame_exclusive=3, reason="a"),
        FrameRange(start_frame=3, end_frame_exclusive=4, reason="b"),
        FrameRange(start_frame=5, end_frame_exclusive=6, reason="a"),
    )
    assert ranges([]) == ()
