"""The generator on whatever this machine has: engine, device, precision, batch size, and what became of them.

Lower precision is believed only after a look at the clip's own first frames, and of two engines the quicker one on them
is taken. Not here: weights (``_wav2lip_weights``), how each engine computes, pictures.
"""

import math
import shutil
import threading
import time
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from contracts.errors import ProviderUnavailable
from providers.lipsync._wav2lip_network import FACE_PX, LOWER_FROM_ROW
from providers.lipsync._wav2lip_weights import Compute, EngineName, Plan, PrecisionName, Weights, cores

Floats = npt.NDArray[np.float32]

LEAST_PSNR_DB = 40.0  # against float32 on the first frames; below it the difference can be seen
CHECKED_FRAMES = 4
TIMED_TURNS = 2
CPU_BATCHES: dict[PrecisionName, int] = {"float32": 4, "bfloat16": 8}
"""Larger ones fall out of the caches and take memory: in float32 four are as quick as eight, sixteen are slower."""
MOST_WORKERS = 4  # on a CPU; each holds a batch's activations
CUDA_BATCHES = (8, 128)
CUDA_BYTES_PER_FRAME = 100 * 2**20  # activations in float32, with room to spare


@dataclass(frozen=True)
class EngineChoice:
    """What the tool registry asks for; ``auto`` and None leave it to the machine."""

    engine: Literal["auto", "torch", "openvino"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: int | None = None
    compile_from_frames: int | None = None
    """torch.compile for clips of at least so many frames; None: never."""


@dataclass
class Engine:
    """Computes a clip of ``frame_count`` frames. ``workers`` threads may call ``faces`` at once.

    ``lower_only``: the upper third of the faces will not be looked at, so it is not computed. ``notes`` tells what was
    used, once something was computed.
    """

    weights: Weights
    choice: EngineChoice = EngineChoice()
    frame_count: int = 0
    lower_only: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _plan: Plan | None = None
    _psnr_db: dict[Plan, float] = field(default_factory=dict)
    _remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        has_cuda = torch.cuda.is_available() and self.choice.engine != "openvino"
        if self.choice.device == "cuda" and not has_cuda:
            raise ProviderUnavailable(
                "expected a CUDA device and engine: auto or torch, found none; set device: auto or cpu"
            )
        self._device: Literal["cpu", "cuda"] = "cuda" if has_cuda and self.choice.device != "cpu" else "cpu"
        self._batch = self.choice.batch_size or batch_size(self._device)
        self.workers = min(MOST_WORKERS, cores()) if self._device == "cpu" else 1

    @property
    def frames_at_once(self) -> int:
        """How many frames are worth collecting before ``faces`` is called."""
        return self._batch

    @property
    def notes(self) -> tuple[str, ...]:
        if self._plan is None:
            return tuple(self._remarks)
        distance = self._psnr_db.get(self._plan)
        checked = "" if distance is None else f", {distance:.0f} dB from float32 on the first frames"
        return (f"Computed with {self._plan}{checked}.", *self._remarks)

    def faces(self, mel: Floats, faces: Floats) -> Floats:
        """float32 (n, 3, 96, 96), 0..1, of mel windows (n, 80, 16) and faces (n, 6, 96, 96); 0 where not computed."""
        sound = np.ascontiguousarray(mel[:, None])
        with self._lock:
            is_first = self._plan is None
            while self._plan is None:
                try:
                    self._plan = self._chosen(sound, faces)
                except torch.OutOfMemoryError:
                    self._halve()
            plan = self._plan
            compute = self.weights.ready(plan)
        found: list[Floats] = []
        start = 0
        while start < len(sound):
            stop = start + min(self._batch, plan.batch_size)
            try:
                found.append(compute(sound[start:stop], faces[start:stop]))
            except torch.OutOfMemoryError:
                compute = self._halved(plan)
                continue
            start = stop
        made = np.concatenate(found)
        if is_first and plan.precision != "float32" and plan not in self._psnr_db:  # there was no choice
            self._psnr_db[plan] = psnr_db(made[:1], self.weights.exact(plan, sound[:1], faces[:1]))
        if not self.lower_only:
            return made
        whole = np.zeros((len(made), made.shape[1], FACE_PX, FACE_PX), np.float32)
        whole[:, :, LOWER_FROM_ROW:] = made
        return whole

    def _chosen(self, sound: Floats, faces: Floats) -> Plan:
        """The quickest plan whose precision is good enough."""
        for precision in self._precisions():
            plans = tuple(self._plans(precision))
            known = self.weights.quickest.get(plans)
            best = self._quickest(plans if known is None else (known,), sound, faces)
            if best is not None:
                self.weights.quickest[plans] = best
                return best
        raise ProviderUnavailable(f"no engine can compute here: {' '.join(self._remarks)}")

    def _precisions(self) -> tuple[PrecisionName, ...]:
        if self.choice.precision != "auto":
            return (self.choice.precision,)
        return ("bfloat16", "float32") if _has_fast_bfloat16(self._device) else ("float32",)

    def _plans(self, precision: PrecisionName) -> list[Plan]:
        """By the hardware, the likely quickest last."""
        engines: tuple[EngineName, ...] = ("torch", "openvino")
        if self.choice.engine != "auto":
            engines = (self.choice.engine,)
        elif self._device == "cuda" or find_spec("openvino") is None:
            engines = ("torch",)
        batch = self._batch
        if self.choice.batch_size is None and self._device == "cpu":
            batch = min(batch, CPU_BATCHES[precision])
        plans = [
            Plan(engine, self._device, precision, batch, self.workers, lower_only=self.lower_only) for engine in engines
        ]
        least = self.choice.compile_from_frames
        if "torch" in engines and least is not None and self.frame_count >= least and _has_compiler():
            plans.append(replace(plans[0], compiled=True))
        return plans

    def _quickest(self, plans: tuple[Plan, ...], sound: Floats, faces: Floats) -> Plan | None:
        """Of those that are fit. One is held at a time, so that trying them takes no more memory than the best."""
        seconds: dict[Plan, float] = {}
        held: Plan | None = None
        for plan in plans:
            if held is not None:
                self.weights.drop(held)
            held = plan
            if self._is_fit(plan, sound, faces, is_only=len(plans) == 1):
                seconds[plan] = self._seconds(plan, sound, faces) if len(plans) > 1 else 0.0
        best = min(seconds, key=lambda plan: seconds[plan], default=None)
        if held is not None and held != best:
            self.weights.drop(held)
        return best

    def _is_fit(self, plan: Plan, sound: Floats, faces: Floats, *, is_only: bool) -> bool:
        """Whether the plan runs here, and as exactly as needed; not tried where there is no other choice."""
        if plan.engine == "torch" and plan.precision == "float32" and not plan.compiled:
            return True
        is_asked_for = self.choice.precision == plan.precision
        count = min(CHECKED_FRAMES, self._batch)
        sound, faces = sound[:count], faces[:count]
        try:
            compute = self.weights.ready(plan)
            if is_asked_for and is_only:
                return True
            found = compute(sound, faces)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._remarks.append(f"{plan} cannot be used here: {' '.join(str(error).split())[:300]}.")
            return False
        if plan.precision == "float32":
            return True
        self._psnr_db[plan] = distance = psnr_db(found, self.weights.exact(plan, sound, faces))
        if not is_asked_for and distance < LEAST_PSNR_DB:
            self._remarks.append(
                f"bfloat16 was not used with {plan.engine}: it is {distance:.0f} dB from float32 here, "
                f"less than {LEAST_PSNR_DB:.0f}."
            )
            return False
        return True

    def _seconds(self, plan: Plan, sound: Floats, faces: Floats) -> float:
        """Per frame of a full batch: the best of some, after a first one that prepares."""
        compute = self.weights.ready(plan)
        rows = np.arange(plan.batch_size) % len(sound)
        # On a CPU the time that was worked: what else the machine does shall not choose. This process decodes at the
        # start, until its queues are full; the best is without that.
        clock = time.process_time if self._device == "cpu" else time.perf_counter
        compute(sound[rows], faces[rows])
        best = math.inf
        for _ in range(TIMED_TURNS):
            began = clock()
            compute(sound[rows], faces[rows])
            best = min(best, clock() - began)
        return best / plan.batch_size

    def _halved(self, plan: Plan) -> Compute:
        """The engine for half the batch; a compiled one is for its own batch only, so it is left."""
        self._halve()
        if plan.compiled:
            self.weights.drop(plan)
            plan = self._plan = replace(plan, batch_size=self._batch, compiled=False)
        return self.weights.ready(plan)

    def _halve(self) -> None:
        if self._batch == 1:
            raise MemoryError("one frame does not fit into the memory of the device")
        self._batch //= 2
        self._remarks.append(f"Memory ran out, so the batch was halved to {self._batch}.")
        if self._device == "cuda":
            torch.cuda.empty_cache()


def psnr_db(found: Floats, expected: Floats) -> float:
    """Of values 0..1; 99 when they are as good as equal."""
    error = float(np.mean(np.square(found.astype(np.float64) - expected)))
    return min(99.0, -10 * math.log10(error)) if error > 0 else 99.0


def _has_compiler() -> bool:
    """What torch.compile generates is C++."""
    return any(shutil.which(name) for name in ("g++", "clang++"))


def _has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 is much faster here: on a CPU only with matrix units (AMX)."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def batch_size(device: str) -> int:
    """How many frames at once, at most."""
    if device == "cpu":
        return max(CPU_BATCHES.values())
    free_bytes, _ = torch.cuda.mem_get_info()
    least, most = CUDA_BATCHES
    return max(least, min(most, free_bytes // 2 // CUDA_BYTES_PER_FRAME))
