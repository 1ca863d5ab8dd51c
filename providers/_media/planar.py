"""Pictures as H.264 holds them: a plane of brightness, two of colour at half size; boxes of them are seen and painted.

What stays as it was is never converted, so it is neither slow nor worn by rounding. All here is BT.709 in limited
range, as ``encode`` writes it. Not here: reading (``frames``), writing (``encode``).
"""

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box

Planar = npt.NDArray[np.uint8]
"""uint8 (H * 3 // 2, W), H and W even: the rows of Y, then U and V of (H // 2, W // 2) each (I420)."""
Image = npt.NDArray[np.uint8]

_RED, _BLUE = 0.2126, 0.0722  # shares of brightness, ITU-R BT.709
_GREEN = 1 - _RED - _BLUE
_Y_RANGE, _C_RANGE = 219 / 255, 112 / 255  # limited range: 16..235 and 16..240
_PARTS = ((_BLUE, _GREEN, _RED), ((1 - _BLUE), -_GREEN, -_RED), (-_BLUE, -_GREEN, (1 - _RED)))
_SCALES = (_Y_RANGE, _C_RANGE / (1 - _BLUE), _C_RANGE / (1 - _RED))
_TO_YUV = np.hstack([np.multiply(_PARTS, np.reshape(_SCALES, (3, 1))), [[16.0], [128.0], [128.0]]])  # of B, G, R, 1
_TO_BGR = np.linalg.inv(np.vstack([_TO_YUV, [0, 0, 0, 1]]))[:3]


def size_of(picture: Planar) -> tuple[int, int]:
    """(width, height) in pixels."""
    return picture.shape[1], picture.shape[0] * 2 // 3


def planes(picture: Planar) -> tuple[Image, Image, Image]:
    """Views of Y (H, W), U and V (H // 2, W // 2)."""
    width, height = size_of(picture)
    return _parts(picture, Box(x=0, y=0, width=width, height=height))


def region(picture: Planar, box: Box) -> Image:
    """uint8 (height, width, 3), BGR: a copy of what the box shows. The box lies inside of the picture."""
    outer = _even(box)
    y, u, v = _parts(picture, outer)
    size = (outer.width, outer.height)
    colours = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (u, v)]
    bgr = cv2.transform(cv2.merge([y, *colours]), _TO_BGR)
    left, top = box.x - outer.x, box.y - outer.y
    return np.asarray(bgr[top : top + box.height, left : left + box.width], np.uint8)


def paint(picture: Planar, box: Box, bgr: Image) -> None:
    """Change ``picture`` in place: the box shows ``bgr``, uint8 (height, width, 3)."""
    outer = _even(box)
    if outer != box:
        whole = region(picture, outer).copy()
        left, top = box.x - outer.x, box.y - outer.y
        whole[top : top + box.height, left : left + box.width] = bgr
        bgr = whole
    y, u, v = _parts(picture, outer)
    new_y, *colours = cv2.split(cv2.transform(bgr, _TO_YUV))
    y[:] = new_y
    size = (outer.width // 2, outer.height // 2)
    for plane, colour in zip((u, v), colours, strict=True):
        plane[:] = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)


def planar(bgr: Image) -> Planar:
    """The whole picture of uint8 (H, W, 3); an odd width or height gets one more pixel, the edge repeated."""
    height, width = bgr.shape[:2]
    if width % 2 or height % 2:
        bgr = np.asarray(cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
        height, width = bgr.shape[:2]
    picture = np.empty((height * 3 // 2, width), np.uint8)
    paint(picture, Box(x=0, y=0, width=width, height=height), bgr)
    return picture


def _even(box: Box) -> Box:
    """The box grown to even edges: a pixel of colour covers two by two of brightness."""
    left, top = box.x - box.x % 2, box.y - box.y % 2
    right, bottom = box.x + box.width, box.y + box.height
    return Box(x=left, y=top, width=right + right % 2 - left, height=bottom + bottom % 2 - top)


def _parts(picture: Planar, box: Box) -> tuple[Image, Image, Image]:
    """Views of Y, U and V inside of an even box."""
    width, height = size_of(picture)
    flat = picture.reshape(-1)
    colours = flat[width * height :].reshape(2, height // 2, width // 2)
    y = flat[: width * height].reshape(height, width)[box.y : box.y + box.height, box.x : box.x + box.width]
    rows = slice(box.y // 2, (box.y + box.height) // 2)
    columns = slice(box.x // 2, (box.x + box.width) // 2)
    return y, colours[0, rows, columns], colours[1, rows, columns]
