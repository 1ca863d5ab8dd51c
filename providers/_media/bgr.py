"""Decoded frames as BGR or planar pictures: right matrix, range and transfer, upright, square pixels, one size."""

import av.error
import av.video
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from contracts.errors import ProviderRejected
from providers._media.opening import reason
from providers._media.picture_geometry import (
    UPRIGHT,
    Orientation,
    fitted_size,
    orientation_of,
    pixel_aspect,
    square_size,
)
from providers._media.planar import Planar, planar

_UNSPECIFIED_COLORSPACES = frozenset({0, 2, 3})
_SD_MAX_HEIGHT = 576
_HDR_TRANSFERS = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
"""PQ and HLG, as phones record: mapped to BT.709, or faces come out grey. Only for these: it builds a table first."""
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Without the two flags pictures come out one level too dark and tinted (there and back: 43 dB, with them 50 dB)."""


class BgrConverter:
    """Converts the frames of one stream; the first frame fixes size and orientation."""

    def __init__(
        self, stream: av.video.VideoStream, max_long_side: int | None = None, *, is_rough: bool = False
    ) -> None:
        """``is_rough``: a quarter of the time, up to two levels off; to measure by, not to show."""
        self._scaling = Interpolation.AREA if is_rough else _SCALING
        self._aspect = pixel_aspect(stream)
        self._max_long_side = max_long_side
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._orientation = Orientation()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """uint8 (H, W, 3), BGR. Raises: ProviderRejected: a pixel format that cannot be converted."""
        width, height = self._fixed_size(frame)
        try:
            converted = self._reformatted(frame, width, height)
        except (av.error.FFmpegError, ValueError) as error:
            raise ProviderRejected(
                f"expected frames in a common pixel format, got {frame.format.name} ({reason(error)}); "
                "convert the file to MP4 with H.264"
            ) from error
        return self._orientation.applied(converted.to_ndarray().astype(np.uint8, copy=False))

    def leaves(self, frame: VideoFrame) -> bool:
        """Whether nothing is to be done but BGR: upright at its size, planar BT.709 in limited range."""
        width, height = self._fixed_size(frame)
        return (
            self._orientation == UPRIGHT
            and (frame.width, frame.height) == (width, height)
            and width % 2 == height % 2 == 0
            and frame.format.name == "yuv420p"
            and frame.color_range != ColorRange.JPEG
            and frame.color_trc not in _HDR_TRANSFERS
            and Colorspace.ITU709 in {frame.colorspace, _source_colorspace(frame)}
        )

    def _fixed_size(self, frame: VideoFrame) -> tuple[int, int]:
        if self._size is None:
            self._orientation = orientation_of(frame)
            self._size = square_size(frame.width, frame.height, self._aspect, self._max_long_side)
        return self._size

    def _reformatted(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        is_hdr = frame.color_trc in _HDR_TRANSFERS
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="bgr24",
            src_colorspace=_source_colorspace(frame),
            dst_color_range=ColorRange.JPEG,
            dst_color_trc=ColorTrc.BT709 if is_hdr else None,
            dst_color_primaries=ColorPrimaries.BT709 if is_hdr else None,
            interpolation=self._scaling,
            threads=1,
        )


class PlanarConverter:
    """As ``BgrConverter``, to planar pictures; frames that are as they should be are copied only."""

    def __init__(self, stream: av.video.VideoStream, max_long_side: int | None = None) -> None:
        self._bgr = BgrConverter(stream, max_long_side)

    def __call__(self, frame: VideoFrame) -> Planar:
        """uint8 (H * 3 // 2, W). Raises: ProviderRejected: a pixel format that cannot be converted."""
        if not self._bgr.leaves(frame):
            return planar(self._bgr(frame))
        return frame.to_ndarray().astype(np.uint8, copy=False)


def shown_size(frame: VideoFrame, stream: av.video.VideoStream) -> tuple[int, int]:
    """(width, height) as a viewer sees the frame, at full size."""
    width, height = fitted_size(*square_size(frame.width, frame.height, pixel_aspect(stream)), None)
    return (height, width) if orientation_of(frame).transpose else (width, height)


def _source_colorspace(frame: VideoFrame) -> int | None:
    """None where the frame tells it; else what players assume: BT.601 for standard definition, BT.709 above."""
    if frame.colorspace not in _UNSPECIFIED_COLORSPACES:
        return None
    return Colorspace.ITU601 if frame.height <= _SD_MAX_HEIGHT else Colorspace.ITU709
