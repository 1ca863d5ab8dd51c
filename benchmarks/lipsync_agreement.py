"""Does the mouth move as told: on photos, on frontal videos, at planted shifts; and as real talkers' lips do?

    python -m benchmarks.lipsync_agreement [--media FOLDER]

Told is the curve that the renderer was given, measured is the opening in the decoded frames (``mouth_measure``, which
knows nothing of the renderer). ``--media`` shows the same of a folder of your own photos and videos, and keeps nothing
of that. About two minutes.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.lipsync_parts.trial import Studio, Trial, studio
from benchmarks.record import PROJECT, keep_tables
from contracts.script import Phone
from providers._speech.visemes import mouth_motion
from providers.qa._signal_sync import CURVE_RATE_HZ, best_agreement, on_grid
from tests.drawn_faces import SKINS, DrawnFace, draw_face
from tests.providers.lipsync.makers import Bgr, portrait, swaying, write_film

VOICE = PROJECT / "samples/voice_short.wav"
TALKERS = PROJECT / "tests/samples/speech/talkers.json"
SHIFTS_MS = (-200, -80, -40, 0, 40, 80, 200)
FILM_FRAMES = 75
SUFFIXES = {".png", ".jpg", ".jpeg", ".mp4", ".mpg", ".mov", ".webm", ".mkv"}
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, help="a folder of photos and videos")
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name, studio() as place:
        folder = Path(name)
        photos = {label: _rendered(place, _kept(folder, label, bgr)) for label, bgr in _photos()}
        films = {label: _rendered(place, path) for label, path in _films(folder)}
        own = sorted(path for path in chosen.media.iterdir() if path.suffix in SUFFIXES) if chosen.media else []
        others = {path.name: _rendered(place, path) for path in own}
    tables = {
        "Photos: told against measured": _rows(photos),
        "Frontal videos: told against measured": _rows(films),
        "Shifts planted into these, recovered": _shifts({**photos, **films}),
        "Told against the lips of real talkers": talkers(),
    }
    keep_tables("lipsync_agreement", tables, started, command="python -m benchmarks.lipsync_agreement")
    if others:
        tables["Your media: told against measured"] = _rows(others)
    for title, rows in tables.items():
        print(title, *("  " + "  ".join(f"{key}={value}" for key, value in row.items()) for row in rows), sep="\n")


def _photos() -> list[tuple[str, Bgr]]:
    smiling = portrait(PROJECT / "samples", 720)
    drawn = [DrawnFace(skin=skin, mouth=mouth, seed=7) for skin in SKINS for mouth in ("closed", "parted")]
    tilted = cv2.warpAffine(smiling, cv2.getRotationMatrix2D((340, 300), 15, 1), (720, 720), borderMode=1)
    return [
        ("portrait", smiling),
        ("portrait, 320 pixels", portrait(PROJECT / "samples", 320)),
        ("portrait, tilted by 15 degrees", np.asarray(tilted, np.uint8)),
        *((f"drawn, {face.name}", draw_face(face)) for face in drawn),
    ]


def _films(folder: Path) -> list[tuple[str, Path]]:
    smiling = portrait(PROJECT / "samples", 480)
    drawn = draw_face(DrawnFace(skin="brown", mouth="closed", seed=7))
    still = write_film(folder / "still.mp4", [smiling] * FILM_FRAMES)
    sways = [(name, swaying(bgr, FILM_FRAMES)) for name, bgr in (("portrait", smiling), ("drawn face", drawn))]
    films = [(f"{name} that sways", write_film(folder / f"{name}.mp4", frames)) for name, frames in sways]
    return [("portrait before a still camera", still), *films]


def _kept(folder: Path, label: str, bgr: Bgr) -> Path:
    cv2.imwrite(str(folder / f"{label}.png"), bgr)
    return folder / f"{label}.png"


def _rendered(place: Studio, face: Path) -> Trial:
    return place.render(face, VOICE)


def _rows(trials: dict[str, Trial]) -> list[Row]:
    return [
        {"face": label, "fidelity": trial.result.fidelity.value, "r": round(trial.correlation, 3)}
        for label, trial in trials.items()
    ]


def _shifts(trials: dict[str, Trial]) -> list[Row]:
    """How far from the truth the lag is that is read off curves of which one was moved."""
    rows: list[Row] = []
    for shift_ms in SHIFTS_MS:
        errors = [abs(_lag_ms(trial, shift_ms) - shift_ms) for trial in trials.values() if trial.frames]
        rows.append({"shift_ms": shift_ms, "worst_error_ms": round(max(errors), 1), "renders": len(errors)})
    return rows


def _lag_ms(trial: Trial, shift_ms: float) -> float:
    """With the picture shown ``shift_ms`` late."""
    fps = trial.result.metrics.fps or 25.0
    times, seconds = np.arange(len(trial.told)) / fps, len(trial.told) / fps
    told = on_grid(times, trial.told.astype(np.float32), seconds)
    measured = on_grid(times + shift_ms / 1000, trial.measured.astype(np.float32), seconds)
    found = best_agreement(measured, told, CURVE_RATE_HZ)
    return float("nan") if found is None else 1000 * found.lag_seconds


def talkers(lead_seconds: float = 0.03) -> list[Row]:
    """Of each talker and of all together; every clip in its own units of spread."""
    rows: list[Row] = []
    lips_of_all: list[float] = []
    told_of_all: list[float] = []
    for name, kept in json.loads(TALKERS.read_text()).items():
        phones = tuple(Phone(symbol=said, start_seconds=a, end_seconds_exclusive=b) for said, a, b in kept["phones"])
        heard = np.asarray(kept["heard"], np.float32)
        told = mouth_motion(
            phones, kept["duration_seconds"], kept["fps"], lead_seconds=lead_seconds, heard=heard
        ).opening
        lips = np.asarray(kept["lips"])
        count = min(len(told), len(lips))
        rows.append({"talker": name, "r": round(float(np.corrcoef(told[:count], lips[:count])[0, 1]), 3)})
        lips_of_all += ((lips[:count] - lips[:count].mean()) / lips[:count].std()).tolist()
        told_of_all += ((told[:count] - told[:count].mean()) / told[:count].std()).tolist()
    return [*rows, {"talker": "all", "r": round(float(np.corrcoef(told_of_all, lips_of_all)[0, 1]), 3)}]


if __name__ == "__main__":
    main()
