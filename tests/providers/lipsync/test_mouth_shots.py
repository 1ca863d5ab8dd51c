"""Which frames are left alone, and why."""

from contracts.artifacts import FrameRange
from providers._media.frames import Timed
from providers.lipsync._mouth_shots import Shot, Survey, ranges


def test_ranges_join_neighbours_with_one_reason() -> None:
    assert ranges(["", "a", "a", "b", "", "a"]) == (
        FrameRange(start_frame=1, end_frame_exclusive=3, reason="a"),
        FrameRange(start_frame=3, end_frame_exclusive=4, reason="b"),
        FrameRange(start_frame=5, end_frame_exclusive=6, reason="a"),
    )
    assert ranges([]) == ()


def test_a_video_is_one_shot_where_one_face_is_followed_all_along() -> None:
    frames = tuple(Timed(place / 25, (place + 1) / 25, place) for place in range(10))

    def survey(*lengths: int) -> Survey:
        shots = (Shot(sum(lengths[:place]), (), [()] * length) for place, length in enumerate(lengths))
        return Survey(frames, tuple(shots), ("",) * 10, None)

    assert survey(10).is_one_shot
    assert not survey(9).is_one_shot
    assert not survey(5, 5).is_one_shot
    assert not survey().is_one_shot
