"""The generator for CPUs with oneDNN: every layer's weights laid out once as its kernels want them, what follows fused.

By the operators that ``torch.compile`` would call, without its compiler. Plain modules lay the weights out anew at
every call: 52 ms against 46 per frame in float32, 15 against 10 in bfloat16 on an AMX core.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from providers.lipsync._wav2lip_network import (
    FACE_PX,
    MEL_BANDS,
    MEL_WINDOW,
    WHOLE,
    ConvBlock,
    Cuts,
    Generator,
    UpBlock,
)

Layer = Callable[[Tensor], Tensor]
Size = tuple[int, int, int, int]  # (batch, channels, height, width)

_DILATION = [1, 1]
_AS_IT_IS, _RELU = ("none", [], ""), ("relu", [], "")


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch has oneDNN, and kernels for the data type on this CPU."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedGenerator:
    """As ``Generator``, for inputs of one data type; several threads may call it at once."""

    def __init__(self, generator: Generator, dtype: torch.dtype, batch_size: int, cuts: Cuts = WHOLE) -> None:
        """
        Args:
            generator: folded, float32, on the CPU; not changed.
            batch_size: what the weights are laid out for; others are computed as well.
        """
        self._cuts = cuts
        self._seen_by: list[Sequence[Layer]] = []
        size: Size = (batch_size, 6, FACE_PX, FACE_PX)
        seen: list[Size] = []
        for block in generator.face_encoder_blocks:
            layers, size = _packed(block, dtype, size)
            self._seen_by.append(layers)
            seen.append(size)
        self._heard_by, size = _packed(generator.audio_encoder, dtype, (batch_size, 1, MEL_BANDS, MEL_WINDOW))
        self._made_by: list[Sequence[Layer]] = []
        for block, (top, _) in zip(generator.face_decoder_blocks, cuts, strict=True):
            layers, size = _packed(block, dtype, size)
            self._made_by.append(layers)
            size = (batch_size, size[1] + seen.pop()[1], size[2] - top, size[3])
        self._shown_by, _ = _packed(generator.output_block, dtype, size)

    def __call__(self, mel: Tensor, face: Tensor) -> Tensor:
        """See ``Generator.forward``; both in the channels-last memory format."""
        seen: list[Tensor] = []
        for layers in self._seen_by:
            face = _through(layers, face)
            seen.append(face)
        x = _through(self._heard_by, mel)
        for layers, (top, top_of_seen) in zip(self._made_by, self._cuts, strict=True):
            x = torch.cat((_through(layers, x)[:, :, top:], seen.pop()[:, :, top_of_seen:]), dim=1)
        return torch.sigmoid(_through(self._shown_by, x))


def _through(layers: Sequence[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


@torch.no_grad()
def _packed(block: nn.Module, dtype: torch.dtype, size: Size) -> tuple[list[Layer], Size]:
    """The block's layers, and the size of what they make of an input of ``size``."""
    layers: list[Layer] = []
    for layer in cast(nn.Sequential, block):
        is_block = isinstance(layer, ConvBlock | UpBlock)
        convolution = cast(nn.Conv2d | nn.ConvTranspose2d, layer.conv_block[0] if is_block else layer)
        if isinstance(convolution, nn.ConvTranspose2d):
            layers.append(_spread(convolution, dtype, size))
        else:
            is_residual = isinstance(layer, ConvBlock) and layer.residual
            layers.append(_convolved(convolution, dtype, size, is_residual, _RELU if is_block else _AS_IT_IS))
        size = _size_after(convolution, size)
    return layers, size


def _convolved(layer: nn.Conv2d, dtype: torch.dtype, size: Size, is_residual: bool, then: tuple[Any, ...]) -> Layer:
    ops = torch.ops.mkldnn
    pads, strides = list(cast(tuple[int, int], layer.padding)), list(layer.stride)
    weight = ops._reorder_convolution_weight(layer.weight.to(dtype), pads, strides, _DILATION, 1, list(size))
    bias = cast(Tensor, layer.bias).to(dtype)
    shape = (pads, strides, _DILATION, 1)
    if is_residual:
        return lambda x: ops._convolution_pointwise.binary(x, x, weight, bias, *shape, "add", 1.0, *then)
    return lambda x: ops._convolution_pointwise(x, weight, bias, *shape, *then)


def _spread(layer: nn.ConvTranspose2d, dtype: torch.dtype, size: Size) -> Layer:
    ops = torch.ops.mkldnn
    pads, strides = list(cast(tuple[int, int], layer.padding)), list(layer.stride)
    shape = (pads, list(layer.output_padding), strides, _DILATION, 1)
    weight = ops._reorder_convolution_transpose_weight(layer.weight.to(dtype), *shape, list(size))
    bias = cast(Tensor, layer.bias).to(dtype)
    return lambda x: ops._convolution_transpose_pointwise(x, weight, bias, *shape, *_RELU)


def _size_after(layer: nn.Conv2d | nn.ConvTranspose2d, size: Size) -> Size:
    batch, _, *sides = size
    height, width = (_side_after(layer, axis, side) for axis, side in enumerate(sides))
    return batch, layer.out_channels, height, width


def _side_after(layer: nn.Conv2d | nn.ConvTranspose2d, axis: int, side: int) -> int:
    kernel, stride, pad = layer.kernel_size[axis], layer.stride[axis], int(layer.padding[axis])
    if isinstance(layer, nn.ConvTranspose2d):
        return (side - 1) * stride - 2 * pad + kernel + layer.output_padding[axis]
    return (side + 2 * pad - kernel) // stride + 1
