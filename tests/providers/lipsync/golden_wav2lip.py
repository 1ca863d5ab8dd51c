"""Weights that anyone can rebuild, and what the original computes with them: numbers only, see the golden files.

``tests/golden/wav2lip`` holds numbers made by running the public Wav2Lip (Rudrabha/Wav2Lip @ 5c90fa9, float32) on these
weights and on ``samples/voice.wav``. No weight of anyone is in them.
"""

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from providers.lipsync._wav2lip_network import Generator

GOLDEN = Path(__file__).parents[2] / "golden" / "wav2lip"

Floats = npt.NDArray[np.float32]


@cache
def golden_generator() -> dict[str, npt.NDArray[Any]]:
    """``frames_bgr_u8`` (4, 96, 96, 3), ``mel_windows`` (4, 80, 16), ``output`` (4, 3, 96, 96) and ``bn/<key>``."""
    with np.load(GOLDEN / "generator.npz") as file:
        return dict(file)


def golden_json(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


def golden_mel(padding: str) -> Floats:
    name = {"zeros": "zero", "reflect": "reflect"}[padding]
    return np.load(GOLDEN / f"mel_librivox_0870_{name}_padded.npy")


@cache
def golden_weights() -> dict[str, Tensor]:
    """A state dict in the released layout, without the prefix."""
    golden = golden_generator()
    weights = Generator().state_dict()
    for key, value in weights.items():
        if key.endswith(("running_mean", "running_var")):
            weights[key] = torch.from_numpy(golden[f"bn/{key}"])
        elif key.endswith(".bias"):
            weights[key] = torch.zeros_like(value)
        elif value.dim() == 4:
            weights[key] = torch.from_numpy(_drawn(key, tuple(value.shape)))
        elif key.endswith(".weight"):
            weights[key] = torch.ones_like(value)
    weights["output_block.1.weight"] *= float(golden["output_gain"])
    return weights


def _drawn(key: str, shape: tuple[int, ...]) -> Floats:
    parts = key.split(".")
    is_transposed = parts[0] == "face_decoder_blocks" and parts[1] != "0" and parts[2] == "0"
    fan_in = shape[0 if is_transposed else 1] * shape[2] * shape[3]
    drawn = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    return (drawn * np.sqrt(2 / fan_in)).astype(np.float32)
