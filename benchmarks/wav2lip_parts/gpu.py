"""With a GPU: frames per second by events, the share of the floor, and the whole clip with its bottleneck named."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.wav2lip_parts.media import BOX, make_clip
from contracts.context import ModelFile
from contracts.faces import FaceOptions
from contracts.production import DeliveryProfile

GFLOP_PER_FRAME = 7.934
TURNS = 20
SECONDS = 60


def measure(folder: Path, inputs: tuple[Any, Any], run_clip: Any) -> list[dict[str, Any]]:
    """Of the first CUDA device. ``run_clip(video, voice, profile, options)`` runs the provider."""
    import torch

    from providers.lipsync._wav2lip_engine import batch_size
    from providers.lipsync._wav2lip_weights import Plan, warm_weights

    weights = warm_weights(ModelFile(folder / "weights", None, "golden"))
    batch = batch_size("cuda")
    mel, faces = (np.concatenate([rows] * (batch // len(rows) + 1))[:batch] for rows in inputs)
    found: list[dict[str, Any]] = []
    for precision, is_compiled in (("float32", False), ("bfloat16", False), ("bfloat16", True)):
        plan = Plan("torch", "cuda", precision, batch, 1, is_compiled)  # type: ignore[arg-type]
        compute = weights.ready(plan)
        seconds = _by_events(lambda compute=compute: compute(mel, faces)) / batch
        floor = GFLOP_PER_FRAME / _peak_gflops(precision)
        found.append(
            {
                "way": f"{plan}, batches of {batch}, {torch.cuda.get_device_name()}",
                "frames_per_second": round(1 / seconds),
                "share_of_floor": f"{floor / seconds:.1%}",
            }
        )
        weights.drop(plan)
    return [*found, *_clip(folder, max(way["frames_per_second"] for way in found), run_clip)]


def _clip(folder: Path, network: int, run_clip: Any) -> list[dict[str, Any]]:
    """The provider over a minute, and each stage's rate alone: the slowest is the bottleneck."""
    from providers._media.encode import VideoWriter
    from providers._media.frames import read_planar_frames

    video, voice = make_clip(folder, SECONDS)
    profile = DeliveryProfile()
    began = time.perf_counter()
    run_clip(video, voice, profile, {"faces": FaceOptions(detector="box", box=BOX), "precision": "bfloat16"})
    rate = SECONDS * 25 / (time.perf_counter() - began)
    began = time.perf_counter()
    pictures = [frame.picture for frame, _ in zip(read_planar_frames(video), range(500), strict=False)]
    stages = {"decoding": 500 / (time.perf_counter() - began)}
    began = time.perf_counter()
    with VideoWriter(folder / "gpu.mp4", width=1280, height=720, fps=25, profile=profile) as writer:
        for picture in pictures:
            writer.write_planar(picture)
    stages |= {"encoding": 500 / (time.perf_counter() - began), "the network": float(network)}
    alone = [{"way": f"{name} alone", "frames_per_second": round(stage)} for name, stage in stages.items()]
    slowest = min(stages, key=lambda name: stages[name])
    return [*alone, {"way": f"a minute of 720p25; its bottleneck is {slowest}", "frames_per_second": round(rate)}]


def _by_events(call: Any) -> float:
    """Seconds per call on the device's own clock, copies included."""
    import torch

    for _ in range(3):
        call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(TURNS):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000 / TURNS


def _peak_gflops(name: str) -> float:
    """Of a large matrix product."""
    import torch

    side = 8192
    matrices = [torch.randn(side, side, device="cuda", dtype=getattr(torch, name)) for _ in range(2)]
    return 2 * side**3 / _by_events(lambda: torch.mm(*matrices)) / 1e9
