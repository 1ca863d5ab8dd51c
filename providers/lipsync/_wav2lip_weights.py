"""Weights that are loaded once and stay, and the engines that were made of them: the one place that loads."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from contracts.context import ModelFile
from contracts.errors import ProviderUnavailable
from providers.lipsync._wav2lip_checkpoint import load_generator
from providers.lipsync._wav2lip_network import LOWER, WHOLE, Cuts, Generator, folded
from providers.lipsync._wav2lip_torch import TorchGenerator

Floats = npt.NDArray[np.float32]
Compute = Callable[[Floats, Floats], Floats]
"""float32 (n, 3, 96, 96), or its rows from 30 on, of mel (n, 1, 80, 16) and faces (n, 6, 96, 96)."""

EngineName = Literal["torch", "openvino"]
PrecisionName = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Plan:
    """One way to compute: what, where, and how many threads at once."""

    engine: EngineName
    device: Literal["cpu", "cuda"]
    precision: PrecisionName
    batch_size: int
    workers: int
    compiled: bool = False
    lower_only: bool = False
    """Of each face only what ``LOWER`` gives."""

    @property
    def cuts(self) -> Cuts:
        return LOWER if self.lower_only else WHOLE

    def __str__(self) -> str:
        compiled = ", compiled," if self.compiled else ""
        return f"{self.engine} on {self.device}{compiled} in {self.precision}"


@dataclass(frozen=True, eq=False)
class Weights:
    """The generator without batch norms, float32 on the CPU; its values are not to be changed."""

    generator: Generator
    quickest: dict[tuple[Plan, ...], Plan] = field(default_factory=dict)
    """What was found to be quickest of some plans."""
    _made: dict[Plan, Compute] = field(default_factory=dict)

    def ready(self, plan: Plan) -> Compute:
        """The plan's engine, made at the first call."""
        if plan not in self._made:
            self._made[plan] = self._make(plan)
        return self._made[plan]

    def drop(self, plan: Plan) -> None:
        """Free what a plan holds that is not followed."""
        if self._made.pop(plan, None) is not None:
            _return_memory()

    def exact(self, plan: Plan, mel: Floats, face: Floats) -> Floats:
        """What the plan would compute in float32, slowly and without memory of its own."""
        with torch.inference_mode():
            return self.generator(torch.from_numpy(mel), torch.from_numpy(face), plan.cuts).numpy()

    def _make(self, plan: Plan) -> Compute:
        threads = max(1, cores() // plan.workers)
        if plan.engine == "openvino":
            from providers.lipsync._wav2lip_openvino import OpenVinoGenerator

            return OpenVinoGenerator(self.generator, plan.precision, plan.batch_size, plan.workers, threads, plan.cuts)
        dtype = torch.float32 if plan.precision == "float32" else torch.bfloat16
        place = torch.device(plan.device)
        return TorchGenerator(
            self.generator, place, dtype, threads, plan.batch_size, cuts=plan.cuts, is_compiled=plan.compiled
        )


def warm_weights(model: ModelFile) -> Weights:
    """The weights of ``model``, kept between runs of one process until the file changes.

    Raises:
        ProviderUnavailable: see ``load_generator``.
    """
    try:
        facts = model.path.stat()
    except OSError as error:
        raise ProviderUnavailable(f"expected the weights in {model.path}, found no file; put it there") from error
    return _loaded((facts.st_mtime_ns, facts.st_size), model)


@lru_cache(maxsize=1)
def _loaded(stamp: tuple[int, int], model: ModelFile) -> Weights:
    return weights_of(load_generator(model))


def weights_of(generator: Generator) -> Weights:
    """Of a generator in eval mode, which is changed."""
    return Weights(folded(generator))


def _return_memory() -> None:
    """What was freed goes back to the system: glibc would keep the 300 MB of an engine for later."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))
