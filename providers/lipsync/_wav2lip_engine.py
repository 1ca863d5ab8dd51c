"""The generator on whatever this machine has: device, precision and batch size, and what became of them.

Lower precision is believed only after a look at the clip's own first frames. Not here: weights, pictures.
"""

import copy
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from contracts.context import ModelFile
from contracts.errors import ProviderUnavailable
from providers.lipsync._wav2lip_checkpoint import load_generator
from providers.lipsync._wav2lip_network import Generator, folded

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
Floats = npt.NDArray[np.float32]

LEAST_PSNR_DB = 40.0  # against float32 on the first frames; below it the difference can be seen
CHECKED_FRAMES = 4
CPU_BATCH = 8  # larger ones fall out of the caches: measured slower per frame from 16 on
CUDA_BATCHES = (8, 128)
CUDA_BYTES_PER_FRAME = 100 * 2**20  # activations in float32, with room to spare


@lru_cache(maxsize=1)
def _loaded(path: str, stamp: tuple[int, int], model: ModelFile) -> Generator:
    """Kept between runs of one process, until the file changes."""
    return folded(load_generator(model)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def warm_generator(model: ModelFile) -> Generator:
    """The generator without batch norms, channels_last, float32 on the CPU; not to be changed.

    Raises:
        ProviderUnavailable: see ``load_generator``.
    """
    try:
        facts = model.path.stat()
    except OSError as error:
        raise ProviderUnavailable(f"expected the weights in {model.path}, found no file; put it there") from error
    return _loaded(str(model.path), (facts.st_mtime_ns, facts.st_size), model)


@dataclass
class Engine:
    """Call ``faces`` in the order of the clip.

    ``notes`` tells what was used, once something was computed.
    """

    generator: Generator
    device: Device = "auto"
    precision: Precision = "auto"
    batch_size: int | None = None
    _ready: Generator | None = None
    _dtype: torch.dtype = torch.float32
    _psnr_db: float | None = None
    _halvings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        has_cuda = torch.cuda.is_available()
        if self.device == "cuda" and not has_cuda:
            raise ProviderUnavailable("expected a CUDA device, found none; set device: auto or cpu")
        self._place = torch.device("cuda" if has_cuda and self.device != "cpu" else "cpu")
        self._batch = self.batch_size or _batch_size(self._place)

    @property
    def frames_at_once(self) -> int:
        """How many frames are worth collecting before ``faces`` is called."""
        return self._batch

    def faces(self, mel: Floats, faces: Floats) -> Floats:
        """float32 (n, 3, 96, 96), 0..1, of mel windows (n, 80, 16) and faces (n, 6, 96, 96)."""
        sound = torch.from_numpy(np.ascontiguousarray(mel[:, None]))
        pictures = torch.from_numpy(faces)
        if self._ready is None:
            self._ready = self._prepared(sound, pictures)
        found: list[Floats] = []
        start = 0
        while start < len(sound):
            stop = start + self._batch
            try:
                found.append(self._computed(self._ready, self._dtype, sound[start:stop], pictures[start:stop]))
            except torch.OutOfMemoryError:
                self._halve()
                continue
            start = stop
        return np.concatenate(found)

    @property
    def notes(self) -> tuple[str, ...]:
        dtype = "float32" if self._dtype == torch.float32 else "bfloat16"
        checked = f", {self._psnr_db:.0f} dB from float32 on the first frames" if self._dtype != torch.float32 else ""
        used = [f"Computed with torch on {self._place.type} in {dtype}{checked if self._psnr_db else ''}."]
        if self._psnr_db is not None and self._dtype == torch.float32:
            used.append(
                f"bfloat16 was not used: it is {self._psnr_db:.0f} dB from float32 here, less than {LEAST_PSNR_DB:.0f}."
            )
        used.extend(f"Memory ran out, so the batch was halved to {size}." for size in self._halvings)
        return tuple(used)

    def _prepared(self, sound: Tensor, pictures: Tensor) -> Generator:
        """Choose the precision; the network on its device."""
        plain = self.generator if self._place.type == "cpu" else copy.deepcopy(self.generator).to(self._place)
        if self.precision == "float32" or (self.precision == "auto" and not _has_fast_bfloat16(self._place)):
            return plain
        rounded = copy.deepcopy(plain).to(torch.bfloat16)
        first = (sound[:CHECKED_FRAMES], pictures[:CHECKED_FRAMES])
        exact = self._computed(plain, torch.float32, *first)
        self._psnr_db = psnr_db(self._computed(rounded, torch.bfloat16, *first), exact)
        if self.precision == "auto" and self._psnr_db < LEAST_PSNR_DB:
            return plain
        self._dtype = torch.bfloat16
        return rounded

    def _computed(self, generator: Generator, dtype: torch.dtype, sound: Tensor, pictures: Tensor) -> Floats:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            mel = sound.to(self._place, dtype)  # (n, 1, 80, 16)
            face = pictures.to(self._place, dtype, memory_format=torch.channels_last)  # (n, 6, 96, 96)
            return generator(mel, face).float().cpu().contiguous().numpy()  # (n, 3, 96, 96)

    def _halve(self) -> None:
        if self._batch == 1:
            raise MemoryError("one frame does not fit into the memory of the device")
        self._batch //= 2
        self._halvings.append(self._batch)
        if self._place.type == "cuda":
            torch.cuda.empty_cache()


def psnr_db(found: Floats, expected: Floats) -> float:
    """Of values 0..1; 99 when they are as good as equal."""
    error = float(np.mean(np.square(found.astype(np.float64) - expected)))
    return min(99.0, -10 * math.log10(error)) if error > 0 else 99.0


def _has_fast_bfloat16(place: torch.device) -> bool:
    """Whether bfloat16 is much faster here: on a CPU only with matrix units (AMX)."""
    if place.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def _batch_size(place: torch.device) -> int:
    if place.type == "cpu":
        return CPU_BATCH
    free_bytes, _ = torch.cuda.mem_get_info(place)
    least, most = CUDA_BATCHES
    return max(least, min(most, free_bytes // 2 // CUDA_BYTES_PER_FRAME))
