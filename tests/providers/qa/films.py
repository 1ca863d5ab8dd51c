"""Finished files to review: the sample portrait with a painted mouth that opens as a curve says, and a voice.

The painting is crude on purpose and has nothing to do with how the product draws mouths.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from providers._media.audio import read_audio

SAMPLES_DIR = Path(__file__).parents[3] / "samples"
FPS = 25
RATE_HZ = 48_000
SIDE_PX = 288
LEVEL_GAIN = 1.6  # brings the sample voices to about -21 LUFS, peaks near -2 dBTP
MOUTH = (0.475, 0.455)  # of the portrait's side
Image = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Film:
    """What is to be written; tests plant defects with ``replace`` and the methods below."""

    frames: list[Image] = field(repr=False)
    samples: Samples = field(repr=False)
    """float32 mono at RATE_HZ."""
    curve: Samples
    """What the mouth was told, one value a frame."""
    frame_seconds: list[float] = field(default_factory=list)
    """Presentation times; empty for a constant rate."""
    sound_start_seconds: float = 0.0

    def with_frames(self, change: Callable[[int, Image], Image]) -> "Film":
        return replace(self, frames=[change(index, frame) for index, frame in enumerate(self.frames)])

    def opening_as(self, face: Image, curve: Samples) -> "Film":
        """The same sound under a mouth that opens as ``curve`` says."""
        frames = [painted(face, float(opening)) for opening in curve[: len(self.frames)]]
        return replace(self, frames=frames, curve=curve[: len(frames)])

    def sound_later(self, seconds: float) -> "Film":
        """The same length; silence comes in where sound moved away."""
        return replace(self, samples=_moved(self.samples, round(seconds * RATE_HZ)))

    def mouth_later(self, seconds: float) -> "Film":
        places = np.clip(np.arange(len(self.frames)) - round(seconds * FPS), 0, len(self.frames) - 1)
        return replace(self, frames=[self.frames[place] for place in places])

    def cut_to(self, seconds: float) -> "Film":
        count = round(seconds * FPS)
        return replace(self, frames=self.frames[:count], samples=self.samples[: round(seconds * RATE_HZ)])

    def write(self, path: Path) -> Path:
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
            video.height, video.width = self.frames[0].shape[:2]
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
            for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
                setattr(video.codec_context, tag, 1)  # BT.709, limited range
            sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
            for frame in self._video_frames():
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for block in self._sound_frames():
                container.mux(sound.encode(block))
            container.mux(sound.encode())
        return path

    def _video_frames(self) -> Iterator[av.VideoFrame]:
        for index, bgr in enumerate(self.frames):
            frame = av.VideoFrame.from_ndarray(bgr, format="bgr24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts = round((self.frame_seconds[index] if self.frame_seconds else index / FPS) * 1000)
            frame.time_base = Fraction(1, 1000)
            yield frame

    def _sound_frames(self) -> Iterator[av.AudioFrame]:
        for start in range(0, len(self.samples), 1024):
            block = av.AudioFrame.from_ndarray(self.samples[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate = RATE_HZ
            block.time_base = Fraction(1, RATE_HZ)
            block.pts = start + round(self.sound_start_seconds * RATE_HZ)
            yield block


def talking(picture: Path, voice: Path, gain: float = LEVEL_GAIN) -> Film:
    """A film without defects."""
    samples = read_audio(voice, RATE_HZ) * np.float32(gain)
    count = math.ceil(len(samples) / RATE_HZ * FPS)
    curve = opening_of(samples, count)
    face = portrait(picture)
    return Film([painted(face, float(opening)) for opening in curve], samples, curve)


def portrait(path: Path) -> Image:
    """uint8 (SIDE_PX, SIDE_PX, 3)."""
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def opening_of(samples: Samples, count: int) -> Samples:
    """0..1 for each frame: how loud it is, a little smoothed, closed in pauses."""
    blocks = np.array_split(samples[: count * RATE_HZ // FPS], count)
    loud = np.array([float(np.sqrt(np.mean(block**2))) for block in blocks])
    smooth = np.convolve(loud, [0.25, 0.5, 0.25], "same")
    return np.clip(smooth / np.percentile(smooth, 95), 0, 1).astype(np.float32)


def painted(face: Image, opening: float) -> Image:
    """A closed mouth painted over the portrait's smile, with a dark ellipse that grows with ``opening``."""
    side = face.shape[0]
    centre = round(MOUTH[0] * side), round(MOUTH[1] * side)
    skin = tuple(
        int(value)
        for value in np.median(
            face[centre[1] + side // 18 : centre[1] + side // 14, centre[0] - 8 : centre[0] + 8], axis=(0, 1)
        )
    )
    picture = face.copy()
    cv2.ellipse(picture, centre, (side // 14, side // 28), 0, 0, 360, skin, -1)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)
    height = opening * side / 22
    lip = (92, 92, 170)
    down = (centre[0], round(centre[1] + height * 0.6))
    cv2.ellipse(picture, down, (side // 18, max(2, round(height + side / 70))), 0, 0, 360, lip, -1, cv2.LINE_AA)
    if height >= 0.5:
        cv2.ellipse(picture, down, (side // 22, max(1, round(height))), 0, 0, 360, (25, 20, 45), -1, cv2.LINE_AA)
    return picture


def _moved(samples: Samples, later: int) -> Samples:
    result = np.zeros_like(samples)
    if later >= 0:
        result[later:] = samples[: len(samples) - later]
    else:
        result[:later] = samples[-later:]
    return result
