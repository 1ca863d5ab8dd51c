"""The generator by torch, on a CPU or a CUDA device: only device, data type and batch differ."""

import copy
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from providers.lipsync._wav2lip_network import WHOLE, Cuts, Generator
from providers.lipsync._wav2lip_packed import PackedGenerator, can_pack

LEAST_PACKED_ROWS: dict[torch.dtype, int] = {torch.bfloat16: 4}
"""For fewer frames oneDNN wants weights in another layout and makes it at every call: 220 ms, against 54 for four."""

Floats = npt.NDArray[np.float32]
Call = Callable[[Tensor, Tensor], Tensor]


class TorchGenerator:
    """Several threads may call it at once; each computes with ``threads`` cores."""

    def __init__(
        self,
        generator: Generator,
        place: torch.device,
        dtype: torch.dtype,
        threads: int,
        batch_size: int,
        *,
        cuts: Cuts = WHOLE,
        is_compiled: bool = False,
    ) -> None:
        """
        Args:
            generator: folded, float32, on the CPU; its values are not changed.
            batch_size: how many frames mostly come at once.
            is_compiled: compile for batches of just this size, once, at the first call.
        """
        self._place, self._dtype, self._threads = place, dtype, threads
        self._least_rows = batch_size if is_compiled else 1
        self._use_threads()  # the layout of packed weights is for so many
        self._call = self._callable(generator, batch_size, cuts, is_compiled)

    def _callable(self, generator: Generator, batch_size: int, cuts: Cuts, is_compiled: bool) -> Call:
        on_cpu = self._place.type == "cpu"
        if on_cpu and not is_compiled and can_pack(self._dtype):
            self._least_rows = LEAST_PACKED_ROWS.get(self._dtype, 1)
            return PackedGenerator(generator, self._dtype, batch_size, cuts)
        is_as_wanted = on_cpu and self._dtype == torch.float32
        own = generator if is_as_wanted else copy.deepcopy(generator).to(self._place, self._dtype)
        own = cast(Generator, cast(Any, own).to(memory_format=torch.channels_last))
        if is_compiled:
            own = cast(Generator, torch.compile(own, dynamic=False, options={"freezing": True} if on_cpu else {}))
        return lambda mel, face: own(mel, face, cuts)

    def __call__(self, mel: Floats, face: Floats) -> Floats:
        """As ``Generator.forward``, float32."""
        self._use_threads()
        count = len(mel)
        mel, face = filled(mel, self._least_rows), filled(face, self._least_rows)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            # (n, 1, 80, 16) and (n, 6, 96, 96)
            inputs = (
                torch.from_numpy(rows).to(self._place, self._dtype, memory_format=torch.channels_last)
                for rows in (mel, face)
            )
            return self._call(*inputs)[:count].float().cpu().contiguous().numpy()

    def _use_threads(self) -> None:
        """In the thread that asks: each has a number of its own."""
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)


def filled(rows: Floats, count: int) -> Floats:
    """``rows`` with zeros behind up to ``count``, for engines that want so many."""
    if len(rows) >= count:
        return rows
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), np.float32)])
