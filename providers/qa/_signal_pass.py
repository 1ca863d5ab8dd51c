"""The finished file decoded once, from beginning to end: every check that looks or listens takes its part of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av.video
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from contracts.artifacts import MediaInfo, Span
from contracts.context import Progress
from contracts.errors import SparkleError
from providers._media.audio import SoundTap
from providers._media.bgr import BgrConverter, shown_size
from providers._media.loudness import METER_RATE_HZ, Loudness, LoudnessMeter
from providers._media.picture_geometry import UPRIGHT, orientation_of
from providers._media.sound_on_disk import SoundOnDisk
from providers._media.survey import Visitors, survey
from providers.qa._signal_picture import Image, Picture, Watcher
from providers.qa._signal_sound import LISTEN_RATE_HZ, ClippedPlaces, Listener, Sound

EIGHT_BITS = frozenset(
    {"yuv420p", "yuv422p", "yuv444p"}
)  # in limited range: the levels of EBU R 103 are defined for it


class FilePass:
    """Rides along with a survey; ask afterwards.

    Args:
        watcher_of: makes what looks at the picture, told the size that a viewer sees, (width, height).
        frame_count: as far as it is known, for the progress.
        keeps_sound: whether the samples are wanted afterwards.
    """

    def __init__(
        self,
        watcher_of: Callable[[tuple[int, int]], Watcher],
        long_side: int,
        progress: Progress,
        *,
        frame_count: int = 0,
        keeps_sound: bool = False,
    ) -> None:
        self.damaged_seconds: list[float] = []
        """Times of frames that decoded with errors: libav shows something in their place."""
        self._watcher_of = watcher_of
        self._watcher: Watcher | None = None
        self._fault: SparkleError | None = None
        self._long_side = long_side
        self._convert: BgrConverter | None = None
        self._is_upright = True
        self._progress = progress
        self._frame_count = frame_count
        self._seen = 0
        self._sound = _SoundPass(keeps_sound=keeps_sound)

    def run(self, path: Path) -> MediaInfo:
        """Facts of the file.

        Raises:
            ProviderRejected: it does not open, or nothing decodes.
            SparkleError: what looks at the picture cannot.
        """
        info = survey(path, Visitors(video=self._see, audio=self.hear))
        if self._fault is not None:
            raise self._fault
        return info

    @property
    def has_begun(self) -> bool:
        """A frame of the picture was decoded."""
        return self._watcher is not None or self._fault is not None

    def picture(self) -> Picture:
        """Raises: ValueError: there was none."""
        if self._watcher is None:
            raise ValueError("expected a file with a picture")
        return self._watcher.finish()

    def sound(self) -> "Heard":
        return self._sound.finish()

    def hear(self, frame: AudioFrame) -> None:
        self._sound.hear(frame)

    def _see(self, frame: VideoFrame, time_seconds: float, stream: av.video.VideoStream) -> None:
        if frame.is_corrupt:
            self.damaged_seconds.append(time_seconds)
        if self._fault is not None:
            return
        try:
            if self._watcher is None or self._convert is None:
                self._is_upright = orientation_of(frame) == UPRIGHT
                self._convert = BgrConverter(stream, self._long_side, is_rough=True)
                self._watcher = self._watcher_of(shown_size(frame, stream))
            self._watcher.add(time_seconds, self._convert(frame), luma_of(frame) if self._is_upright else None)
        except SparkleError as error:  # it is no finding about the file; said after the pass
            self._fault = error
        self._progress(self._seen, max(self._frame_count, self._seen + 1), "looking and listening")
        self._seen += 1


def luma_of(frame: VideoFrame) -> Image | None:
    """Y as it is in the file, a view; None where it is not 8-bit and in limited range."""
    is_full_range = frame.color_range == 2
    if frame.format.name not in EIGHT_BITS or is_full_range:
        return None
    plane = frame.planes[0]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


@dataclass(frozen=True)
class Heard:
    """``samples``: mono at LISTEN_RATE_HZ where they were to be kept."""

    sound: Sound
    clipped: tuple[Span, ...]
    loudness: Loudness
    samples: SoundOnDisk | None


class _SoundPass:
    """One decode, three rates: to listen by, to measure loudness by, and the file's own for clipping."""

    def __init__(self, *, keeps_sound: bool) -> None:
        self._listener = Listener()
        self._kept = SoundOnDisk() if keeps_sound else None
        self._quiet = SoundTap(LISTEN_RATE_HZ, "mono")
        self._taps: dict[int, SoundTap] = {}
        self._clipped: ClippedPlaces | None = None
        self._meter: LoudnessMeter | None = None
        self._own_rate_hz = METER_RATE_HZ

    def hear(self, frame: AudioFrame) -> None:
        if not self._taps:
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            self._own_rate_hz = frame.sample_rate
            self._taps = {rate_hz: SoundTap(rate_hz, layout) for rate_hz in {self._own_rate_hz, METER_RATE_HZ}}
            self._clipped = ClippedPlaces(self._own_rate_hz)
            self._meter = LoudnessMeter(1 if layout == "mono" else 2)
        for block in self._quiet.push(frame):
            self._listen(block[0])
        for rate_hz, tap in self._taps.items():
            for block in tap.push(frame):
                self._measure(rate_hz, block)

    def finish(self) -> Heard:
        for block in self._quiet.flush():
            self._listen(block[0])
        for rate_hz, tap in self._taps.items():
            for block in tap.flush():
                self._measure(rate_hz, block)
        clipped = self._clipped.spans() if self._clipped else ()
        loudness = self._meter.result() if self._meter else Loudness(None, None)
        return Heard(self._listener.finish(), clipped, loudness, self._kept)

    def _listen(self, samples: npt.NDArray[np.float32]) -> None:
        self._listener.add(samples)
        if self._kept is not None:
            self._kept.append(samples)

    def _measure(self, rate_hz: int, block: npt.NDArray[np.float32]) -> None:
        if self._clipped is not None and rate_hz == self._own_rate_hz:
            self._clipped.add(block)
        if self._meter is not None and rate_hz == METER_RATE_HZ:
            self._meter.add(block)
