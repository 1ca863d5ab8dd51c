"""How fast does ``mouth_warp`` render at 720p, a photo and a video, against the encoder alone; and does memory grow?

    python -m benchmarks.lipsync_rendering

"frames alone" makes the pictures and encodes none; "encoder alone" encodes as many that are ready; "whole" is all that
the provider does, from the decoder to two written files, in a process of its own. CPU is of all threads of the process;
on a busy machine the wall figures mean little. About two minutes on two quiet cores.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.lipsync_parts.trial import studio
from benchmarks.record import PROJECT, keep_tables
from contracts.lipsync import LipSyncRequest
from contracts.production import DeliveryProfile
from providers._media.audio import read_audio_blocks
from providers._media.encode import Content, VideoWriter
from providers._media.faces import find_faces
from providers._media.frames import read_planar_frames
from providers._media.mouth_landmarks import locate_mouth
from providers._media.planar import Planar, planar
from providers.lipsync._mouth_compose import MouthComposer
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_life import LifeOptions
from providers.lipsync._mouth_photo import PhotoPainter
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.media import make_sound

Bgr = npt.NDArray[np.uint8]
WIDTH, HEIGHT, FPS = 1280, 720, 25.0
SECONDS = (10, 40)  # memory must not grow from one to the other
ENCODED_FRAMES = 150
Row = dict[str, float]


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        voices = [_voice(folder, seconds) for seconds in SECONDS]
        photo = folder / "photo.png"
        cv2.imwrite(str(photo), _photo())
        film = _film(folder / "film.mp4")
        rows = {"photo, frames alone": _photo_frames(folder, voices[0])}
        rows["video, frames alone"] = _video_frames(folder, voices[0])
        rows["photo, encoder alone"] = _encoded(
            folder, islice(_living(folder, voices[0]), ENCODED_FRAMES), content="still"
        )
        rows["video, encoder alone"] = _encoded(
            folder, (frame.picture for frame in islice(read_planar_frames(film), ENCODED_FRAMES)), content="take"
        )
        for kind, face in (("photo", photo), ("video", film)):
            for seconds, voice in zip(SECONDS, voices, strict=True):
                rows[f"{kind}, whole, {seconds} s"] = _whole(face, voice)
    for label, row in rows.items():
        encoder = rows[f"{label.split(',')[0]}, encoder alone"]
        row["times_the_encoders_cpu"] = round(row["cpu_ms_per_frame"] / encoder["cpu_ms_per_frame"], 2)
    told = [{"what": label, **row} for label, row in rows.items()]
    keep_tables(
        "lipsync_rendering",
        {"1280x720, 25 frames a second": told},
        started,
        command="python -m benchmarks.lipsync_rendering",
    )
    for row in told:
        print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))


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
    frames = _living(folder, voice)
    return _timed(lambda: frames)


def _living(folder: Path, voice: Path) -> Iterable[Planar]:
    """The photo's frames, mouth and life."""
    still = _photo()
    face = find_faces(still)[0]
    mouth = locate_mouth(still, face)
    if mouth is None:
        raise SystemExit("expected a mouth in the shipped portrait, found none")
    drive = _drive(folder, voice)
    painter = PhotoPainter(still, face, mouth, drive, LifeOptions())
    return (painter.frame(index)[0] for index in range(drive.frame_count))


def _encoded(folder: Path, pictures: Iterable[Planar], *, content: Content) -> Row:
    """As the shipped profile for the web encodes."""
    ready = list(pictures)

    def written() -> Iterable[object]:
        size = {"width": WIDTH, "height": HEIGHT}
        with VideoWriter(folder / "encoded.mp4", **size, fps=FPS, profile=DeliveryProfile(), content=content) as writer:
            for picture in ready:
                writer.write_planar(picture)
        return ready

    return _timed(written)


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
        row = _timed(lambda: range(place.render_only(face, voice).metrics.frame_count))
    row["peak_mib"] = _peak_mib()
    print(json.dumps(row))


def _peak_mib() -> float:
    """Of this program alone; what ``resource`` tells includes the process that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024)


def _timed(frames: Callable[[], Iterable[object]]) -> Row:
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in frames())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"frames_per_second": round(count / wall, 1), "cpu_ms_per_frame": round(1000 * cpu / count, 2)}


if __name__ == "__main__":
    main()
