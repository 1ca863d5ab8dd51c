"""What runs in a process of its own: one clip by the baseline or the provider, or the network alone in every way."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts.artifacts import MediaInfo
from contracts.context import ModelFile, ProviderContext
from contracts.faces import FaceOptions, FaceTrack
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.tasks import LipSyncTask
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
    return {"computed_with": "torch on cpu in float32"}


def clip(order: Order) -> dict[str, Any]:
    from benchmarks.wav2lip_parts.media import BOX, make_clip

    engine, precision = order["way"].split()
    folder = Path(order["folder"])
    options = {"engine": engine, "precision": precision, "faces": FaceOptions(detector="box", box=BOX)}
    result = _provided(folder, *make_clip(folder, order["seconds"]), _profile(order), options)
    used = next(note for note in result.notes if note.startswith("Computed with "))
    return {"computed_with": used.removeprefix("Computed with ").rstrip(".")}


def faces(order: Order) -> list[dict[str, Any]]:
    """A second provider's run, and the first one's again: both find the face track that was kept."""
    from benchmarks.wav2lip_parts.media import make_clip, write_voice
    from providers.lipsync.mouth_warp import MouthWarpProvider

    folder = Path(order["folder"])
    video, voice = make_clip(folder, 10)
    rows: list[dict[str, Any]] = []
    for name, provider, sound, options in (
        ("wav2lip, first voice", Wav2LipProvider, voice, {"precision": "bfloat16"}),
        (
            "wav2lip, second voice",
            Wav2LipProvider,
            write_voice(folder / "2.wav", 10, start=40_000),
            {"precision": "bfloat16"},
        ),
        ("mouth_warp, third voice", MouthWarpProvider, write_voice(folder / "3.wav", 10, start=80_000), {}),
    ):
        began = time.perf_counter(), time.process_time()
        with watched_faces() as spent:
            _provided(folder, video, sound, DeliveryProfile(), options, provider)
        rows.append(
            {
                "run": name,
                "wall_s": round(time.perf_counter() - began[0], 2),
                "cpu_s": round(time.process_time() - began[1], 2),
                "seconds_for_the_face_track": round(spent.seconds, 2),
                "pictures_searched_for_faces": spent.searched,
            }
        )
    return rows


@dataclass
class _Spent:
    seconds: float = 0.0
    searched: int = 0


@contextmanager
def watched_faces() -> Iterator[_Spent]:
    """What goes into face tracks meanwhile: making one, or finding it again."""
    from providers._media import face_tracks
    from providers.lipsync import _mouth_animate, _wav2lip_scene

    spent = _Spent()
    made, of_options = face_tracks.face_track, face_tracks.detector

    def face_track(*parts: Any, **named: Any) -> FaceTrack:
        began = time.perf_counter()
        try:
            return made(*parts, **named)
        finally:
            spent.seconds += time.perf_counter() - began

    def detector(*parts: Any) -> Callable[[Any], Any]:
        find = of_options(*parts)

        def searched(*picture: Any) -> Any:
            spent.searched += 1
            return find(*picture)

        return searched

    users = (_mouth_animate, _wav2lip_scene)
    for user in users:
        user.face_track = face_track  # type: ignore[assignment]
    face_tracks.detector = detector
    try:
        yield spent
    finally:
        for user in users:
            user.face_track = made
        face_tracks.detector = of_options


def _provided(
    folder: Path,
    video: Path,
    voice: Path,
    profile: DeliveryProfile,
    options: dict[str, Any],
    provider: type[LipSyncTask] = Wav2LipProvider,
) -> LipSyncResult:
    from benchmarks.wav2lip_parts.media import facts_of

    store = LocalArtifactStore(folder / "store")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    models = {"wav2lip": ModelFile(folder / "weights", None, "golden")}
    context = ProviderContext(logging.getLogger("provider"), store, work, models=models)
    facts = MediaInfo.model_validate_json(facts_of(video).read_text())
    request = LipSyncRequest(
        audio_track=store.put(voice, "audio/wav"),
        video_stub=store.put(video, "video/mp4").model_copy(update={"media": facts}),
        production=ProductionSpec(profile=profile),
    )
    return provider(provider.Options(**options), context).run(request)


def _profile(order: Order) -> DeliveryProfile:
    return DeliveryProfile(preset=order["preset"])


def network(order: Order) -> dict[str, Any]:
    """Every way in turns, so that what else the machine does hits all alike; the median of the rounds."""
    import torch

    from benchmarks.wav2lip_parts import baseline as plain
    from providers._media.stages import in_order
    from providers.lipsync._wav2lip_engine import CPU_BATCHES, psnr_db
    from providers.lipsync._wav2lip_weights import Compute, Plan, cores, warm_weights

    threads = torch.get_num_threads()  # an engine that is made ready leaves one to each of its workers
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
        Plan(engine, "cpu", precision, CPU_BATCHES[precision], min(4, cores()))  # type: ignore[arg-type,index]
        for engine in ("torch", "openvino")
        for precision in ("float32", "bfloat16")
    ]
    plans.append(Plan("torch", "cpu", "bfloat16", 8, min(4, cores()), compiled=True))
    ways: dict[str, Callable[[], Any]] = {"baseline": original}
    for plan in plans:
        name = f"{plan.engine} {plan.precision}" + (" compiled" if plan.compiled else "")
        ways[name] = by(warm.ready(plan), plan)
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
                "ms_per_frame": round(float(np.median([wall for wall, _ in runs])) / FRAMES * 1000, 2),
                "cpu_ms_per_frame": round(float(np.median([cpu for _, cpu in runs])) / FRAMES * 1000, 2),
                "psnr_db": round(psnr[name], 1),
            }
            for name, runs in seconds.items()
        },
    }


def on_gpu(order: Order) -> list[dict[str, Any]]:
    import torch

    if not torch.cuda.is_available():
        return [{"device": "none here"}]
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
