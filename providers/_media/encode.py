"""BGR or planar frames into an H.264 MP4 without sound. The same frames and options give the same bytes."""

import contextlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from contracts.errors import ProviderFailed
from contracts.production import DeliveryProfile
from providers._media.opening import reason
from providers._media.planar import Planar

Content = Literal["film", "take", "still"]
"""Anything; pictures without a cut; one picture that hardly moves."""

_THREADS = 4
"""Fixed: x264 gives the same bytes for the same number of threads, whatever the machine has."""
_KEYFRAME_SECONDS = 2.0
_BT709 = 1
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT


class VideoWriter:
    """Writes ``path`` when the ``with`` block ends well; leaves nothing behind when it does not.

    H.264, yuv420p, BT.709, index first (faststart). An odd width or height gets one more pixel, the edge repeated.

    Args:
        width, height: size of the frames that will be written, pixels.
        fps: constant frame rate.
        profile: codec, preset and quality; its size and frame rate are the caller's business.
        content: what is known of the pictures and saves time.
    """

    def __init__(
        self, path: Path, *, width: int, height: int, fps: float, profile: DeliveryProfile, content: Content = "film"
    ) -> None:
        self.path = path
        self.frame_count = 0
        self._shape = (height, width, 3)
        self._rate = exact_rate(fps)
        self._partial = path.with_name(f".{path.name}.partial.mp4")
        self._reformatter = VideoReformatter()
        self._container = av.open(
            str(self._partial), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
        )
        try:
            self._stream = self._add_stream(profile, content)
        except (av.error.FFmpegError, ValueError, TypeError) as error:
            self._drop()
            raise ProviderFailed(
                f"expected a video encoder of this build, such as libx264, got {profile.codec!r} ({reason(error)})"
            ) from error

    def write(self, bgr: npt.NDArray[np.uint8]) -> None:
        """Append one frame, uint8 (height, width, 3).

        Raises:
            ProviderFailed: another shape or type than announced, or the encoder refuses.
        """
        if bgr.shape != self._shape or bgr.dtype != np.uint8:
            raise ProviderFailed(f"expected a uint8 frame of shape {self._shape}, got {bgr.dtype} {bgr.shape}")
        self._encode(self._converted(bgr))

    def write_planar(self, picture: Planar) -> None:
        """Append one frame that needs no conversion; the writer's size in even pixels. It is kept: leave it alone.

        Raises:
            ProviderFailed: another size or type than announced, or the encoder refuses.
        """
        shape = (self._stream.height * 3 // 2, self._stream.width)
        if picture.shape != shape or picture.dtype != np.uint8:
            raise ProviderFailed(f"expected a uint8 planar frame of shape {shape}, got {picture.dtype} {picture.shape}")
        frame = _frame_of(np.ascontiguousarray(picture))
        frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
        frame.color_range = ColorRange.MPEG
        self._encode(frame)

    def _encode(self, frame: VideoFrame) -> None:
        frame.pts = self.frame_count
        frame.time_base = 1 / self._rate
        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise ProviderFailed(f"the video encoder stopped at frame {self.frame_count}: {reason(error)}") from error
        self.frame_count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._drop()
            return
        if self.frame_count == 0:
            self._drop()
            raise ProviderFailed("expected at least one frame before the video is closed, got none")
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
        except av.error.FFmpegError as failure:
            self._partial.unlink(missing_ok=True)
            raise ProviderFailed(f"the video could not be completed: {reason(failure)}") from failure
        self._partial.replace(self.path)

    def _add_stream(self, profile: DeliveryProfile, content: Content) -> av.VideoStream:
        stream = self._container.add_stream(profile.codec, rate=self._rate, options=_options(profile, content))
        if not isinstance(stream, av.VideoStream):
            raise ValueError("it encodes no video")
        height, width, _ = self._shape
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.gop_size = max(1, round(self._rate * Fraction(_KEYFRAME_SECONDS)))
        context.thread_count = _THREADS
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        context.open()
        return stream

    def _converted(self, bgr: npt.NDArray[np.uint8]) -> VideoFrame:
        height, width, _ = self._shape
        if width % 2 or height % 2:
            bgr = cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(np.uint8)
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(bgr), format="bgr24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
            threads=1,
        )

    def _drop(self) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()
        self._partial.unlink(missing_ok=True)


def _frame_of(picture: Planar) -> VideoFrame:
    """Without a copy where PyAV gets the height right: of a buffer it takes it as a multiple of four."""
    if picture.shape[0] % 6 == 0:
        return VideoFrame.from_numpy_buffer(picture, format="yuv420p")
    return VideoFrame.from_ndarray(picture, format="yuv420p")


def exact_rate(fps: float) -> Fraction:
    """The fraction that is meant: 29.97 is 30000/1001."""
    ntsc = Fraction(round(fps) * 1000, 1001)
    if fps != round(fps) and abs(float(ntsc) - fps) < 0.005:
        return ntsc
    return Fraction(fps).limit_denominator(1000)


def _options(profile: DeliveryProfile, content: Content) -> dict[str, str]:
    options = {"crf": str(profile.crf)}
    if profile.codec in {"libx264", "libx265"}:
        options["preset"] = profile.preset
        params = {"libx264": _x264_params(profile.preset, content), "libx265": "log-level=error"}
        options |= {profile.codec.removeprefix("lib") + "-params": params[profile.codec]}
    else:
        options["b"] = "0"  # libvpx and libsvtav1: quality alone decides
    return options


def _x264_params(preset: str, content: Content) -> str:
    """What is set beside a preset.

    x264's macroblock tree gave other bytes, and other quality, from run to run at some sizes (240x240, 400x400). Of one
    head before one background, every fourth frame may as well always be a reference: 15 % less time, and smaller files,
    than deciding it for each.

    ``veryfast`` also parts blocks between two references: 7 to 17 % of its time for nothing (size within 1 %, PSNR
    within 0.05 dB). Where there is no cut none is looked for: the same frames in 10 to 20 % less time. A still is
    coded as well with more frames between references and a coarser search: 35 % less time, 4 % larger, the same PSNR.
    """
    params = "mbtree=0:b-adapt=0"
    if preset == "veryfast":
        params += ":partitions=p8x8,i8x8,i4x4"
        params += ":b-pyramid=none:bframes=5:subme=1" if content == "still" else ""
    if content != "film":
        params += ":scenecut=0"
    return params
