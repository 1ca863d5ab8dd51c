"""The generator by torch, on a CPU or a CUDA device: only device, data type and batch differ."""

import copy
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from providers.lipsync._wav2lip_network import Generator

Floats = npt.NDArray[np.float32]


class TorchGenerator:
    """Several threads may call it at once; each computes with ``threads`` cores."""

    def __init__(
        self, generator: Generator, place: torch.device, dtype: torch.dtype, threads: int, compiled_batch: int | None
    ) -> None:
        """
        Args:
            generator: folded, float32, on the CPU; its values are not changed, its memory may be laid out anew.
            compiled_batch: compile for batches of this size, once, at the first call; None: no compiling.
        """
        self._place, self._dtype, self._threads = place, dtype, threads
        is_as_wanted = place.type == "cpu" and dtype == torch.float32
        own = generator if is_as_wanted else copy.deepcopy(generator).to(place, dtype)
        self._generator = cast(Generator, cast(Any, own).to(memory_format=torch.channels_last))
        self._batch = compiled_batch
        self._call = self._generator
        if compiled_batch is not None:
            self._call = torch.compile(
                self._generator, dynamic=False, options={"freezing": True} if place.type == "cpu" else {}
            )

    def __call__(self, mel: Floats, face: Floats) -> Floats:
        """float32 (n, 3, 96, 96) of mel (n, 1, 80, 16) and faces (n, 6, 96, 96)."""
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        count = len(mel)
        if self._batch is not None:
            mel, face = filled(mel, self._batch), filled(face, self._batch)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            sound = torch.from_numpy(mel).to(self._place, self._dtype)  # (n, 1, 80, 16)
            # (n, 6, 96, 96)
            pictures = torch.from_numpy(face).to(self._place, self._dtype, memory_format=torch.channels_last)
            return self._call(sound, pictures)[:count].float().cpu().contiguous().numpy()  # (n, 3, 96, 96)


def filled(rows: Floats, count: int) -> Floats:
    """``rows`` with zeros behind up to ``count``, for engines whose batch is fixed."""
    if len(rows) >= count:
        return rows
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), np.float32)])
