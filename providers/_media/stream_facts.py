"""Facts of a stream, gathered frame by frame; nothing is kept but sums."""

import av.audio
import av.video
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from contracts.artifacts import AudioInfo, VideoInfo
from providers._media.bgr import shown_size
from providers._media.limits import DEFAULT_LIMITS, MediaLimits
from providers._media.opening import stream_codec
from providers._media.picture_geometry import orientation_of
from providers._media.timing import FrameClock, SoundClock

_UNEVEN_SHARE = 0.1
"""Distances between frames that differ by more than this share of the mean are no rounding of a time base."""
_UNEVEN_SECONDS = 0.0025

# Code points of ISO/IEC 23091-2 that video on the web carries.
_SPACES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c"}
_PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
_TRANSFERS = {1: "bt709", 4: "gamma22", 6: "smpte170m", 13: "iec61966-2-1", 14: "bt2020-10", 16: "smpte2084", 18: "hlg"}
_RANGES = {1: "tv", 2: "pc"}


class VideoFacts:
    def __init__(self, stream: av.video.VideoStream, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._stream = stream
        self._clock = FrameClock(stream, limits)
        self._first: VideoInfo | None = None
        self._least_seconds = float("inf")
        self._most_seconds = 0.0
        self._frame_count = 0

    def add(self, frame: VideoFrame) -> float | None:
        """Seconds after the first frame; None for a frame that is not shown."""
        before = self._clock.last_seconds
        time_seconds = self._clock.place(frame)
        self._frame_count += 1
        if self._first is None:
            self._first = self._described(frame)
        elif time_seconds is not None:
            self._least_seconds = min(self._least_seconds, time_seconds - before)
            self._most_seconds = max(self._most_seconds, time_seconds - before)
        return time_seconds

    def info(self) -> VideoInfo | None:
        """None when no frame decoded."""
        if self._first is None:
            return None
        clock = self._clock
        fps = clock.count / clock.end_seconds_exclusive
        spread = self._most_seconds - self._least_seconds
        return self._first.model_copy(
            update={
                "fps": round(fps, 3),
                "frame_count": self._frame_count,
                "duration_seconds": round(clock.end_seconds_exclusive, 6),
                "start_seconds": round(clock.start_seconds or 0.0, 6),
                "variable_frame_rate": spread > max(_UNEVEN_SECONDS, _UNEVEN_SHARE / fps),
            }
        )

    def _described(self, frame: VideoFrame) -> VideoInfo:
        width, height = shown_size(frame, self._stream)
        color = {
            "space": _SPACES.get(frame.colorspace),
            "range": _RANGES.get(frame.color_range),
            "primaries": _PRIMARIES.get(frame.color_primaries),
            "transfer": _TRANSFERS.get(frame.color_trc),
        }
        return VideoInfo(
            codec=stream_codec(self._stream),
            width=width,
            height=height,
            fps=0,
            frame_count=1,
            duration_seconds=0,
            pixel_format=frame.format.name,
            rotation_degrees=orientation_of(frame).rotation_degrees,
            color={key: name for key, name in color.items() if name},
        )


class AudioFacts:
    def __init__(self, stream: av.audio.AudioStream, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._stream = stream
        self._clock = SoundClock(limits)
        self._sample_count = 0
        self._rate_hz = 0
        self._channels = 0

    def add(self, frame: AudioFrame) -> None:
        if self._sample_count == 0:
            self._rate_hz, self._channels = frame.sample_rate, frame.layout.nb_channels
        self._clock.silence_before(frame)
        self._sample_count += frame.samples

    def info(self) -> AudioInfo | None:
        """None when no sample decoded."""
        if self._sample_count == 0:
            return None
        return AudioInfo(
            codec=stream_codec(self._stream),
            sample_rate_hz=self._rate_hz,
            channels=self._channels,
            sample_count=self._sample_count,
            duration_seconds=round(self._clock.duration_seconds, 6),
            start_seconds=round(self._clock.start_seconds, 6),
        )
