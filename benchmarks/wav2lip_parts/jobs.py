"""What runs in a process of its own: one clip by the baseline or the provider, or the network alone in every way."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.artifacts import MediaInfo
from contracts.context import ModelFile, ProviderContext
from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import DeliveryProfile, ProductionSpec
from providers.lipsync.wav2lip import Wav2LipProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore

Order = dict[str, Any]
FRAMES = 128


def baseline(order: Order) -> dict[str, Any]:
    from benchmarks.wav2lip_parts import baseline as plain
    from benchmarks.wav2lip_parts.media import BOX, make_clip

    folder = Path(order["folder"])
    video, voice = make_clip(folder, order["seconds"])
    plain.run(folder / "weights", video, voice, BOX, folder / "baseline.mp4", _profile(order))
    return {"notes": []}


def clip(order: Order) -> dict[str, Any]:
    from benchmarks.wav2lip_parts.media import BOX, make_clip

    engine, precision = order["way"].split()
    folder = Path(order["folder"])
    options = {"engine": engine, "precision": precision, "faces": FaceOptions(detector="box", box=BOX)}
    result = _provided(folder, *make_clip(folder, order["seconds"]), _profile(order), options)
    return {"notes": list(result.notes)}


def detection(order: Order) -> dict[str, Any]:
    from benchmarks.wav2lip_parts.media import make_clip, write_voice

    folder = Path(order["folder"])
    video, voice = make_clip(folder, 10)
    other = write_voice(folder / "other.wav", 10, start=40_000)
    found: dict[str, Any] = {}
    for name, sound in (("first run", voice), ("second run, other sound", other)):
        began = time.perf_counter(), time.process_time()
        watched: dict[str, float] = {}
        options = {"precision": "bfloat16"}
        _provided(folder, video, sound, DeliveryProfile(), options, _stopwatch(watched))
        following = watched.get("following the face", 0.0)
        found[name] = {
            "following_the_face_seconds": round(following, 2),
            "wall_seconds": round(time.perf_counter() - began[0], 2),
            "cpu_seconds": round(time.process_time() - began[1], 2),
        }
    return found


def _stopwatch(watched: dict[str, float]) -> Callable[..., None]:
    """Progress that adds up the seconds under each note."""
    last: list[tuple[str, float]] = []

    def progress(done: float, total: float, note: str = "") -> None:
        now = time.perf_counter()
        if last and last[0][0] == note:
            watched[note] = watched.get(note, 0.0) + now - last[0][1]
        last[:] = [(note, now)]

    return progress


def _provided(
    folder: Path,
    video: Path,
    voice: Path,
    profile: DeliveryProfile,
    options: dict[str, Any],
    progress: Callable[..., None] | None = None,
) -> LipSyncResult:
    from benchmarks.wav2lip_parts.media import facts_of

    store = LocalArtifactStore(folder / "store")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    models = {"wav2lip": ModelFile(folder / "weights", None, "golden")}
    context = ProviderContext(logging.getLogger("provider"), store, work, models=models)
    context = replace(context, progress=progress) if progress else context
    facts = MediaInfo.model_validate_json(facts_of(video).read_text())
    request = LipSyncRequest(
        audio_track=store.put(voice, "audio/wav"),
        video_stub=store.put(video, "video/mp4").model_copy(update={"media": facts}),
        production=ProductionSpec(profile=profile),
    )
    return Wav2LipProvider(Wav2LipProvider.Options(**options), context).run(request)


def _profile(order: Order) -> DeliveryProfile:
    return DeliveryProfile(preset=order["preset"])


def generator(order: Order) -> dict[str, Any]:
    """Every way in turns, so that what else the machine does hits all alike; the median of the rounds."""
    import torch

    from benchmarks.wav2lip_parts import baseline as plain
    from providers.lipsync._wav2lip_engine import psnr_db
    from providers.lipsync._wav2lip_stages import in_order
    from providers.lipsync._wav2lip_weights import Compute, Plan, cores, warm_weights

    weights = Path(order["folder"]) / "weights"
    mel, faces = _inputs()
    model = plain.generator(weights)
    warm = warm_weights(ModelFile(weights, None, "golden"))

    def original() -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(mel), torch.from_numpy(faces)).numpy()

    def by(compute: Compute, plan: Plan) -> Callable[[], Any]:
        pieces = [slice(start, start + plan.batch_size) for start in range(0, FRAMES, plan.batch_size)]
        work = lambda piece: compute(mel[piece], faces[piece])  # noqa: E731
        return lambda: np.concatenate(list(in_order(work, pieces, plan.workers)))

    plans = [
        Plan(engine, "cpu", precision, 8, min(4, cores()))  # type: ignore[arg-type]
        for engine in ("torch", "openvino")
        for precision in ("float32", "bfloat16")
    ]
    plans.append(Plan("torch", "cpu", "bfloat16", 8, min(4, cores()), compiled=True))
    ways: dict[str, Callable[[], Any]] = {"baseline": original}
    for plan in plans:
        name = f"{plan.engine} {plan.precision}" + (" compiled" if plan.compiled else "")
        ways[name] = by(warm.ready(plan), plan)
    threads = torch.get_num_threads()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    psnr: dict[str, float] = {}
    exact = original()
    for turn in range(order["rounds"] + 1):
        for name, way in ways.items():
            if name == "baseline":
                torch.set_num_threads(threads)
            began = time.perf_counter(), time.process_time()
            output = way()
            took = time.perf_counter() - began[0], time.process_time() - began[1]
            if turn:  # the first turn prepares
                seconds[name].append(took)
            psnr[name] = psnr_db(output, exact)
    torch.set_num_threads(threads)
    return {
        "threads": threads,
        "peak_gflops": {name: _peak_gflops(name) for name in ("float32", "bfloat16")},
        "ways": {
            name: {
                "ms": round(float(np.median([wall for wall, _ in runs])) / FRAMES * 1000, 2),
                "cpu_ms": round(float(np.median([cpu for _, cpu in runs])) / FRAMES * 1000, 2),
                "psnr_db": round(psnr[name], 1),
            }
            for name, runs in seconds.items()
        },
    }


def on_gpu(order: Order) -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"device": "none here"}
    from benchmarks.wav2lip_parts import gpu

    folder = Path(order["folder"])
    return gpu.measure(folder, _inputs(), lambda *parts: _provided(folder, *parts))


def _inputs() -> tuple[Any, Any]:
    from providers.lipsync._wav2lip_pictures import network_input
    from tests.providers.lipsync.golden_wav2lip import golden_generator

    golden = golden_generator()
    faces = np.stack([network_input(frame) for frame in golden["frames_bgr_u8"]])
    turns = FRAMES // len(faces)
    mel = np.concatenate([np.roll(golden["mel_windows"], turn, 0) for turn in range(turns)])
    return np.ascontiguousarray(mel[:, None]), np.tile(faces, (turns, 1, 1, 1))


def _peak_gflops(name: str) -> int:
    """Of a large matrix product, the best of some."""
    import torch

    side = 3072
    matrices = [torch.randn(side, side).to(getattr(torch, name)) for _ in range(2)]
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        torch.mm(*matrices)
        best = min(best, time.perf_counter() - began)
    return round(2 * side**3 / best / 1e9)
