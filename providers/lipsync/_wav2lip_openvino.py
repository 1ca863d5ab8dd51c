"""The generator as an OpenVINO graph: the same layers and weights, built op by op, so that nothing is traced.

Only for CPUs. Not here: which engine runs (``_wav2lip_engine``), what the layers mean (``_wav2lip_network``).
"""

import sys
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

# Importing OpenVINO tells its makers so and writes into the home; without this package of it, it does neither.
sys.modules.setdefault("openvino_telemetry", cast(Any, None))
import openvino  # noqa: E402 - see above
from openvino import opset13 as ops  # noqa: E402

from providers.lipsync._wav2lip_network import (  # noqa: E402
    FACE_PX,
    MEL_BANDS,
    MEL_WINDOW,
    WHOLE,
    ConvBlock,
    Cuts,
    Generator,
    UpBlock,
)
from providers.lipsync._wav2lip_torch import filled  # noqa: E402

Floats = npt.NDArray[np.float32]
Precision = Literal["float32", "bfloat16"]

# OpenVINO's own default on CPUs with AMX is bf16, also for a float32 model: it is always told.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoGenerator:
    """Computes ``batch_size`` frames at a time; ``workers`` threads may call it at once."""

    def __init__(
        self,
        generator: Generator,
        precision: Precision,
        batch_size: int,
        workers: int,
        threads: int,
        cuts: Cuts = WHOLE,
    ) -> None:
        """
        Args:
            generator: folded, float32, on the CPU.
            threads: cores for each worker.
        """
        self.batch_size = batch_size
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": workers,
            "INFERENCE_NUM_THREADS": workers * threads,
        }
        self._compiled = openvino.Core().compile_model(_graph(generator, batch_size, cuts), "CPU", settings)

    def __call__(self, mel: Floats, face: Floats) -> Floats:
        """As ``Generator.forward``, float32; at most ``batch_size`` frames."""
        count = len(mel)
        request = self._compiled.create_infer_request()
        found = request.infer([filled(mel, self.batch_size), filled(face, self.batch_size)], share_inputs=True)
        return np.array(found[0][:count], np.float32)


def _graph(generator: Generator, batch_size: int, cuts: Cuts) -> openvino.Model:
    mel = ops.parameter([batch_size, 1, MEL_BANDS, MEL_WINDOW], np.float32, name="mel")
    face = ops.parameter([batch_size, 6, FACE_PX, FACE_PX], np.float32, name="face")
    seen: list[openvino.Node] = []
    x: openvino.Node = face
    for block in generator.face_encoder_blocks:
        x = _layers(block, x)
        seen.append(x)
    x = _layers(generator.audio_encoder, mel)
    for block, (top, top_of_seen) in zip(generator.face_decoder_blocks, cuts, strict=True):
        x = ops.concat([_below(_layers(block, x), top), _below(seen.pop(), top_of_seen)], axis=1)
    output = ops.sigmoid(_layers(generator.output_block, x))
    return cast(Any, openvino.Model)([output], [mel, face], "wav2lip")  # its stubs describe another class


def _below(x: openvino.Node, row: int) -> openvino.Node:
    if row == 0:
        return x
    start, stop, step, axis = (ops.constant([value]) for value in (row, FACE_PX, 1, 2))
    return ops.slice(x, start, stop, step, axis)


def _layers(block: nn.Module, x: openvino.Node) -> openvino.Node:
    """Block after block; each convolution with its norm folded into it."""
    for layer in cast(nn.Sequential, block):
        if isinstance(layer, ConvBlock):
            out = _convolved(cast(nn.Conv2d, layer.conv_block[0]), x)
            x = ops.relu(ops.add(out, x) if layer.residual else out)
        elif isinstance(layer, UpBlock):
            x = ops.relu(_spread(cast(nn.ConvTranspose2d, layer.conv_block[0]), x))
        else:
            x = _convolved(cast(nn.Conv2d, layer), x)
    return x


def _convolved(layer: nn.Conv2d, x: openvino.Node) -> openvino.Node:
    strides, pads = list(layer.stride), [int(pad) for pad in layer.padding]
    out = ops.convolution(x, _constant(layer.weight), strides, pads, pads, [1, 1])
    return ops.add(out, _per_channel(layer.bias))


def _spread(layer: nn.ConvTranspose2d, x: openvino.Node) -> openvino.Node:
    pads = [int(pad) for pad in layer.padding]
    out = ops.convolution_backprop_data(
        x,
        _constant(layer.weight),
        strides=list(layer.stride),
        pads_begin=pads,
        pads_end=pads,
        dilations=[1, 1],
        output_padding=list(layer.output_padding),
    )
    return ops.add(out, _per_channel(layer.bias))


def _constant(tensor: Tensor) -> openvino.Node:
    return ops.constant(np.ascontiguousarray(tensor.detach().numpy()), shared_memory=True)


def _per_channel(bias: Tensor | None) -> openvino.Node:
    bias = cast(Tensor, bias)  # (outputs,); every convolution has one
    return ops.constant(bias.detach().numpy().reshape(1, -1, 1, 1))
