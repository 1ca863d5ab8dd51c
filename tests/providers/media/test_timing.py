"""Clocks: frames and samples on one line that only goes forward."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from contracts.errors import ProviderRejected
from providers._media.limits import MediaLimits
from providers._media.timing import FrameClock, SoundClock
from tests.media import make_video


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[av.VideoStream]:
    with av.open(str(make_video(tmp_path / "x.mp4", seconds=0.2))) as container:
        yield container.streams.video[0]


def frame_at(milliseconds: int | None) -> VideoFrame:
    frame = VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
    return frame


def without_time_base(pts: int) -> VideoFrame:
    frame = VideoFrame(16, 16, "yuv420p")
    frame.pts = pts
    return frame


def sound_at(milliseconds: int | None, seconds: float = 0.1) -> AudioFrame:
    frame = AudioFrame("s16", "mono", round(seconds * 8000))
    frame.sample_rate = 8000
    frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
    return frame


def test_frames_count_from_the_first(stream: av.VideoStream) -> None:
    clock = FrameClock(stream)
    assert [clock.place(frame_at(at)) for at in (500, 540, 600)] == pytest.approx([0, 0.04, 0.1])
    assert clock.start_seconds == 0.5


def test_frame_that_does_not_come_later_is_left_out(stream: av.VideoStream) -> None:
    clock = FrameClock(stream)
    assert [clock.place(frame_at(at)) for at in (0, 40, 40, 20, 80)] == [0, 0.04, None, None, 0.08]
    assert clock.count == 3


def test_frame_without_a_time_follows_at_the_usual_distance(stream: av.VideoStream) -> None:
    clock = FrameClock(stream)
    assert [clock.place(frame_at(at)) for at in (0, 50, None)] == pytest.approx([0, 0.05, 0.1])


def test_time_that_is_no_number_counts_as_none(stream: av.VideoStream) -> None:
    clock = FrameClock(stream)
    places = [clock.place(frame) for frame in (frame_at(0), frame_at(50), without_time_base(100))]
    assert places == pytest.approx([0, 0.05, 0.1])


def test_short_rounding_is_no_hole_and_a_lost_packet_is() -> None:
    clock = SoundClock()
    assert [clock.silence_before(sound_at(at)) for at in (20, 121, 219, 620)] == pytest.approx([0, 0, 0, 0.3], abs=1e-6)
    assert clock.start_seconds == 0.02
    assert clock.duration_seconds == pytest.approx(0.7)


def test_slow_drift_is_made_up_for() -> None:
    """Each packet comes 1 ms late: after 41 of them there is a hole that can be filled without being heard."""
    clock = SoundClock()
    silence = sum(clock.silence_before(sound_at(number * 101)) for number in range(200))
    assert silence == pytest.approx(0.2, abs=0.041)


def test_time_that_starts_anew_counts_on() -> None:
    clock = SoundClock()
    assert [clock.silence_before(sound_at(at)) for at in (5000, 5100, 0, 100, 500)] == pytest.approx([0, 0, 0, 0, 0.3])
    assert clock.duration_seconds == pytest.approx(0.8)


def test_samples_without_times_follow_each_other() -> None:
    clock = SoundClock()
    assert sum(clock.silence_before(sound_at(None)) for _ in range(10)) == 0
    assert clock.duration_seconds == pytest.approx(1)


def test_hole_of_hours_is_refused_before_it_is_filled() -> None:
    clock = SoundClock(MediaLimits(max_duration_seconds=60))
    clock.silence_before(sound_at(0))
    with pytest.raises(ProviderRejected, match="expected at most 60 s of sound"):
        clock.silence_before(sound_at(3_600_000))
