"""How fast ``mouth_warp`` renders at 720p: a photo and a video, with and without the encoder, and how memory grows.

Prints a table and keeps it as ``benchmarks/results/lipsync_rendering.json`` with machine, commit and date. CPU is of
all threads of the process; on a loaded machine the wall figures mean little. About two minutes on two quiet cores.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.lipsync_parts.trial import studio  # noqa: E402
from contracts.lipsync import LipSyncRequest  # noqa: E402
from contracts.production import DeliveryProfile  # noqa: E402
from providers._media.audio import read_audio_blocks  # noqa: E402
from providers._media.encode import VideoWriter  # noqa: E402
from providers._media.faces import find_faces  # noqa: E402
from providers._media.mouth_landmarks import locate_mouth  # noqa: E402
from providers._media.planar import planar  # noqa: E402
from providers.lipsync._mouth_compose import MouthComposer  # noqa: E402
from providers.lipsync._mouth_drive import MouthDrive  # noqa: E402
from providers.lipsync._mouth_life import LifeOptions  # noqa: E402
from providers.lipsync._mouth_photo import PhotoPainter  # noqa: E402
from sparkle_dagster.artifacts.local import LocalArtifactStore  # noqa: E402
from tests.media import make_sound  # noqa: E402

Bgr = npt.NDArray[np.uint8]
WIDTH, HEIGHT, FPS = 1280, 720, 25.0
SECONDS = (10, 40)  # memory must not grow from one to the other
Row = dict[str, float]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        voices = [_voice(folder, seconds) for seconds in SECONDS]
        photo = folder / "photo.png"
        cv2.imwrite(str(photo), _photo())
        film = _film(folder / "film.mp4")
        rows = {"photo, frames alone": _photo_frames(folder, voices[0])}
        rows["video, frames alone"] = _video_frames(folder, voices[0])
        for kind, face in (("photo", photo), ("video", film)):
            for seconds, voice in zip(SECONDS, voices, strict=True):
                rows[f"{kind}, whole, {seconds} s"] = _whole(face, voice)
    target = PROJECT / "benchmarks" / "results" / "lipsync_rendering.json"
    target.write_text(json.dumps({"rows": rows, **_circumstances()}, indent=1) + "\n")
    print(f"{'':<24}{'frames/s':>10}{'CPU ms/frame':>14}{'peak MB':>9}")
    for label, row in rows.items():
        print(f"{label:<24}{row['frames_per_second']:>10.0f}{row['cpu_ms_per_frame']:>14.1f}{row['peak_mb']:>9.0f}")


def _photo() -> Bgr:
    portrait = cv2.imread(str(PROJECT / "samples" / "presenter.png"))
    margin = (WIDTH - HEIGHT) // 2
    return np.asarray(cv2.copyMakeBorder(portrait, 0, 0, margin, margin, cv2.BORDER_REPLICATE), np.uint8)


def _film(path: Path) -> Path:
    """Ten seconds of a head that sways before the camera."""
    photo = _photo()
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=FPS, profile=DeliveryProfile(crf=18)) as writer:
        for index in range(round(10 * FPS)):
            moved = cv2.warpAffine(photo, _pose(index), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            writer.write(np.asarray(moved, np.uint8))
    return path


def _pose(index: int) -> npt.NDArray[np.float64]:
    phase = 2 * np.pi * index / 60
    turn = cv2.getRotationMatrix2D((620, 300), 3 * np.sin(phase), 1 + 0.03 * np.sin(2 * phase))
    turn[:, 2] += (18 * np.sin(phase), 8 * np.cos(phase))
    return turn


def _voice(folder: Path, seconds: float) -> Path:
    blocks = list(read_audio_blocks(PROJECT / "samples" / "voice.wav", sample_rate_hz=16_000, mono=True))
    samples = np.concatenate(blocks, axis=1)
    count = round(seconds * 16_000)
    repeated = np.tile(samples, (1, count // samples.shape[1] + 1))[:, :count]
    return make_sound(folder / f"voice-{seconds}.wav", repeated, 16_000)


def _drive(folder: Path, voice: Path) -> MouthDrive:
    store = LocalArtifactStore(folder / "drive")
    audio = store.put(voice, "audio/wav")
    return MouthDrive(LipSyncRequest(audio_track=audio, video_stub=audio), store, FPS, 0.03)


def _photo_frames(folder: Path, voice: Path) -> Row:
    still = _photo()
    face = find_faces(still)[0]
    mouth = locate_mouth(still, face)
    if mouth is None:
        raise SystemExit("expected a mouth in the shipped portrait, found none")
    drive = _drive(folder, voice)
    painter = PhotoPainter(still, face, mouth, drive, LifeOptions())
    return _timed(lambda: (painter.frame(index) for index in range(drive.frame_count)))


def _video_frames(folder: Path, voice: Path) -> Row:
    still = _photo()
    mouth = locate_mouth(still, find_faces(still)[0])
    if mouth is None:
        raise SystemExit("expected a mouth in the shipped portrait, found none")
    drive = _drive(folder, voice)
    composer = MouthComposer(still, mouth)
    frame = planar(still)
    return _timed(
        lambda: (composer.compose(frame.copy(), _pose(index), drive.pose(index)) for index in range(drive.frame_count))
    )


def _whole(face: Path, voice: Path) -> Row:
    """Everything the provider does, in a process of its own."""
    code = (
        "import sys, pathlib; from benchmarks.lipsync_rendering import whole; "
        "whole(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(face), str(voice)], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def whole(face: Path, voice: Path) -> None:
    """One render, measured; prints a row as JSON."""
    with studio() as place:
        place.prepared(face, voice)
        row = _timed(lambda: iter(range(place.render_only(face, voice).metrics.frame_count)))
    print(json.dumps(row))


def _timed(frames: Callable[[], Iterator[object]]) -> Row:
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in frames())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "frames_per_second": round(count / wall, 1),
        "cpu_ms_per_frame": round(1000 * cpu / count, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _circumstances() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f}",
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
    }


if __name__ == "__main__":
    main()
