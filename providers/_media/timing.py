"""When frames are shown and samples heard: by their own times, since their number tells nothing at a variable rate."""

from math import isfinite
from statistics import median

import av.video
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from contracts.errors import ProviderRejected
from providers._media.limits import DEFAULT_LIMITS, MediaLimits

_DEFAULT_FPS = 25.0
_GAP_SECONDS = 0.04
"""A shorter hole is the rounding of a time base."""
_JUMP_SECONDS = 1.0
_RECENT = 31


def _told_seconds(frame: VideoFrame | AudioFrame) -> float | None:
    """Presentation time; None where the file has none or one that is no number (a time base of n/0)."""
    if frame.pts is None or not frame.time_base:
        return None
    seconds = frame.time
    return seconds if seconds is not None and isfinite(seconds) else None


def _told_duration_seconds(frame: VideoFrame | AudioFrame) -> float:
    """How long the file says that the frame is shown; 0 where it says nothing."""
    if not frame.duration or frame.duration < 0 or not frame.time_base or _told_seconds(frame) is None:
        return 0.0
    return float(frame.duration * frame.time_base)


class FrameClock:
    """Places frames on a line that starts at 0 with the first one and only goes forward."""

    def __init__(self, stream: av.video.VideoStream, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        rate = stream.average_rate or stream.guessed_rate
        self._header_seconds = float(1 / rate) if rate else 1 / _DEFAULT_FPS
        self._limits = limits
        self._recent: list[float] = []
        self._last_duration_seconds = 0.0
        self.start_seconds: float | None = None
        """Presentation time of the first frame, as the file says."""
        self.last_seconds = 0.0
        self.count = 0

    def place(self, frame: VideoFrame | AudioFrame) -> float | None:
        """Seconds after the first frame; None for a frame that must be left out because it does not come later.

        Raises:
            ProviderRejected: too many frames, or too long.
        """
        found = _told_seconds(frame)
        if self.start_seconds is None:
            self.start_seconds = found or 0.0
            time_seconds = 0.0
        elif found is None:
            time_seconds = self.last_seconds + self.frame_seconds
        else:
            time_seconds = found - self.start_seconds
            if time_seconds <= self.last_seconds:
                return None
        self._advance(frame, time_seconds)
        return time_seconds

    @property
    def frame_seconds(self) -> float:
        """How long the last placed frame is shown: what the file says where that is likely, else the usual distance."""
        usual = median(self._recent) if self._recent else self._header_seconds
        return self._last_duration_seconds if self._last_duration_seconds > usual / 2 else usual

    @property
    def end_seconds_exclusive(self) -> float:
        return self.last_seconds + self.frame_seconds if self.count else 0.0

    def _advance(self, frame: VideoFrame | AudioFrame, time_seconds: float) -> None:
        if self.count:
            self._recent = [*self._recent[-_RECENT:], time_seconds - self.last_seconds]
        self.last_seconds = time_seconds
        self.count += 1
        self._last_duration_seconds = _told_duration_seconds(frame)
        longest = self._limits.max_duration_seconds
        if self.end_seconds_exclusive > longest:
            raise ProviderRejected(f"expected at most {longest:.0f} s, got at least {self.end_seconds_exclusive:.0f} s")
        if self.count > self._limits.max_frames:
            raise ProviderRejected(f"expected at most {self._limits.max_frames} frames, got more")


class SoundClock:
    """Finds the holes between audio frames, as a lost packet or a paused recording leaves them."""

    def __init__(self, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._next_seconds: float | None = None
        self.start_seconds = 0.0
        """Presentation time of the first sample, as the file says."""
        self.duration_seconds = 0.0
        """From the first sample to the end of the last one, holes included."""

    def silence_before(self, frame: AudioFrame) -> float:
        """Seconds of silence that belong in front of ``frame``; counts the frame in.

        Raises:
            ProviderRejected: too long.
        """
        found = _told_seconds(frame)
        if self._next_seconds is None:
            self.start_seconds = self._next_seconds = found or 0.0
        hole = 0.0 if found is None else found - self._next_seconds
        if hole < -_JUMP_SECONDS:  # the file starts its time anew, as joined recordings do
            self._next_seconds += hole
        if hole < _GAP_SECONDS:
            hole = 0.0
        seconds = hole + frame.samples / frame.sample_rate
        self._next_seconds += seconds
        self.duration_seconds += seconds
        longest = self._limits.max_duration_seconds
        if self.duration_seconds > longest:
            raise ProviderRejected(
                f"expected at most {longest:.0f} s of sound, got {self.duration_seconds:.0f} s or more"
            )
        return hole
