"""A network with YuNet's inputs and outputs, an ONNX file written byte by byte: a face is where a cell is white.

For tests without anybody's weights: OpenCV reads it as it reads YuNet, and decodes its outputs the same way.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

STRIDES = (8, 16, 32)
FACE_CELLS = (10.0, 12.0)
"""Width and height of every face, in cells of eight pixels, its middle in the white cell's top left corner."""
EYE_CELLS = ((-2.0, -2.0), (2.0, -2.0))
"""Right and left eye, in cells from there."""

_FLOAT, _INTS = 1, 7
Floats = npt.NDArray[np.float32]


def write(path: Path) -> Path:
    nodes: list[bytes] = []
    tensors: list[bytes] = []
    outputs: list[bytes] = []
    for stride in STRIDES:
        sees = stride == STRIDES[0]
        white = np.full((1, 3, stride, stride), 1 / (3 * stride * stride), np.float32)
        # white is 255: 10 above the threshold; other strides see nothing
        for name, scale, bias in (("cls", 0.2, -41.0), ("obj", 0.2, -41.0)):
            weights = white * np.float32(scale if sees else 0)
            _head(f"{name}_{stride}", weights, np.array([bias], np.float32), nodes, tensors, outputs, squashed=True)
        box = (0, 0, np.log(FACE_CELLS[0]), np.log(FACE_CELLS[1]))
        points = (*EYE_CELLS[0], *EYE_CELLS[1], *(0.0,) * 6)
        for name, values in (("bbox", box), ("kps", points)):
            weights = np.zeros((len(values), 3, stride, stride), np.float32)
            _head(f"{name}_{stride}", weights, np.array(values, np.float32), nodes, tensors, outputs, squashed=False)
    graph = (
        b"".join(_bytes(1, node) for node in nodes) + _text(2, "yunet") + b"".join(_bytes(5, one) for one in tensors)
    )
    graph += _bytes(11, _value("input", (1, 3, 640, 640))) + b"".join(_bytes(12, one) for one in outputs)
    path.write_bytes(_number(1, 7) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 11)))
    return path


def _head(
    name: str,
    weights: Floats,
    bias: Floats,
    nodes: list[bytes],
    tensors: list[bytes],
    outputs: list[bytes],
    *,
    squashed: bool,
) -> None:
    """One convolution over cells, perhaps a sigmoid, channels last."""
    stride = weights.shape[2]
    tensors += [_tensor(f"{name}_w", weights), _tensor(f"{name}_b", bias)]
    attributes = [_ints("kernel_shape", (stride, stride)), _ints("strides", (stride, stride))]
    nodes.append(_node("Conv", ["input", f"{name}_w", f"{name}_b"], f"{name}_conv", attributes))
    last = f"{name}_conv"
    if squashed:
        nodes.append(_node("Sigmoid", [last], f"{name}_squashed", []))
        last = f"{name}_squashed"
    nodes.append(_node("Transpose", [last], name, [_ints("perm", (0, 2, 3, 1))]))
    outputs.append(_value(name, (1, 640 // stride, 640 // stride, len(bias))))


# -- ONNX's protocol buffers (onnx.proto3): field number, wire type, content --


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _tensor(name: str, values: Floats) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, _FLOAT) + _text(8, name) + _bytes(9, struct.pack(f"<{values.size}f", *values.ravel()))


def _ints(name: str, values: Iterable[int]) -> bytes:
    return _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, _INTS)


def _node(kind: str, inputs: list[str], output: str, attributes: list[bytes]) -> bytes:
    named = b"".join(_text(1, name) for name in inputs) + _text(2, output)
    return named + _text(4, kind) + b"".join(_bytes(5, one) for one in attributes)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, dims)))
