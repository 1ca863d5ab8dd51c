"""How coded frames become upright pictures with square pixels: display matrix, pixel aspect, size limits.

libav hands out frames as they were coded; a phone writes its turn into a display matrix that players apply.
"""

from dataclasses import dataclass
from fractions import Fraction

import av.video
import cv2
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from providers._media.limits import DEFAULT_LIMITS

_ONE = 65536  # 1.0 in the matrix's 16.16 fixed point


@dataclass(frozen=True)
class Orientation:
    """A multiple of a quarter turn, perhaps mirrored: transpose first, then flip the shown axes."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation_degrees(self) -> int:
        """Clockwise turn from coded to shown: 0, 90, 180 or 270; of a mirrored one, the turn before the mirror."""
        if self.transpose:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    def applied(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """``image`` upright; the same array where nothing is to be done."""
        if self.transpose:
            image = np.transpose(image, (1, 0, 2))
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """From the frame's display matrix; a turn that is no quarter turn reads as none.

    Ask for one frame of a stream: PyAV ties a frame that was asked for its side data into a ring with them, so its
    memory waits for the garbage collector.
    """
    data = frame.side_data.get(Type.DISPLAYMATRIX.name)
    if data is None:
        return UPRIGHT
    (a, b, _), (c, d, _) = np.frombuffer(bytes(data), "<i4", 9).reshape(3, 3)[:2] / _ONE
    # x' = a x + c y, y' = b x + d y, y pointing down (libavutil/display.h)
    if abs(a) > 0.9 and abs(d) > 0.9:
        return Orientation(flip_x=bool(a < 0), flip_y=bool(d < 0))
    if abs(b) > 0.9 and abs(c) > 0.9:
        return Orientation(transpose=True, flip_x=bool(c < 0), flip_y=bool(b < 0))
    return UPRIGHT


def pixel_aspect(stream: av.video.VideoStream) -> Fraction:
    """Width of a pixel over its height; 1 when unset or not believable."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    limit = Fraction(DEFAULT_LIMITS.max_pixel_aspect)
    return aspect if aspect and 1 / limit <= aspect <= limit else Fraction(1)


def square_size(width: int, height: int, aspect: Fraction, max_long_side: int | None = None) -> tuple[int, int]:
    """(width, height) in square pixels, still as coded; the width carries the pixel aspect where it has room to."""
    if width * aspect <= DEFAULT_LIMITS.max_side:
        width = max(1, round(width * aspect))
    else:
        height = max(1, round(height / aspect))
    return fitted_size(width, height, max_long_side)


def fitted_size(width: int, height: int, max_long_side: int | None) -> tuple[int, int]:
    """The same shape with its long side at most ``max_long_side``; never enlarged."""
    if max_long_side is None or max(width, height) <= max_long_side:
        return width, height
    scale = max_long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fitted(image: npt.NDArray[np.uint8], max_long_side: int | None) -> npt.NDArray[np.uint8]:
    """``image`` scaled down by area averaging where it is too large."""
    height, width = image.shape[:2]
    size = fitted_size(width, height, max_long_side)
    return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
