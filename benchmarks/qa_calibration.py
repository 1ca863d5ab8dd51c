"""Does the review catch what a person would catch, and leave good renders alone? Good and broken productions, reviewed.

    python -m benchmarks.qa_calibration [--good 200] [--planted 20] [--minutes 40] [--to build/qa-calibration]

Makes productions of many faces and voices by the shipped providers, plants a fault into copies of some, has every one
reviewed with the shipped limits of the profile ``web``, and writes ``docs/quality-calibration.md``. What was reviewed
is kept in ``--to``: run it again to go on where it stopped. About 8 CPU seconds a good one and 40 a planted one.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.qa_parts import calibration_page
from benchmarks.qa_parts.planting import PLANTS, still_face
from benchmarks.qa_parts.productions import PROJECT, Made, Workshop, workshop
from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.production import DeliveryProfile
from contracts.qa import QAReviewResult
from providers._media.audio import read_audio
from providers._media.encode import VideoWriter
from tests.drawn_faces import SKINS, DrawnFace, draw_face
from tests.media import make_sound

Bgr = npt.NDArray[np.uint8]
SIDE_PX, FPS, RATE_HZ, SECONDS = 360, 25.0, 16_000, 14.0
SAMPLES = PROJECT / "samples"
SPEECH = PROJECT / "tests" / "samples" / "speech"
VOICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("en", ("voice", "voice_short")),
    ("en", ("voice_short", "voice")),
    ("en", ("voice_short", "voice_short")),
    ("de fr", ("de", "fr", "de")),
    ("es cmn", ("es", "cmn", "es")),
    ("fr de", ("fr", "de", "fr")),
)
"""Languages, and the recordings that follow one another; English ones come with their words."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=200, help="so many that lip-sync renders in full")
    parser.add_argument("--planted", type=int, default=20, help="of how many of them copies are broken")
    parser.add_argument("--minutes", type=float, default=120.0, help="stop then; run again to go on")
    parser.add_argument("--to", type=Path, default=PROJECT / "build" / "qa-calibration")
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * chosen.minutes
    good = 0
    for number in itertools.count():
        file = chosen.to / f"{number:03d}.json"
        wanted = number < chosen.planted
        done = json.loads(file.read_text()) if file.is_file() else {}
        if good == chosen.good:
            break
        if not done or (wanted and done["is_good"] and not done["planted"]):
            if time.monotonic() > deadline:
                break
            with workshop("web", max_long_side=SIDE_PX) as place, tempfile.TemporaryDirectory() as folder:
                done = _reviewed(place, Path(folder), number, is_planted=wanted)
            file.write_text(json.dumps(done, indent=1))
            print(number, done["face"], done["voice"], _told(done["good"]), flush=True)
        good += done["is_good"]
    calibration_page.write([json.loads(path.read_text()) for path in sorted(chosen.to.glob("*.json"))])


def _reviewed(place: Workshop, folder: Path, number: int, *, is_planted: bool) -> dict[str, Any]:
    face, what = _face(folder, number)
    made = _made(place, folder, number, face)
    found: dict[str, Any] = {"face": what, "voice": VOICES[number % len(VOICES)][0], "is_good": True, "planted": {}}
    found["is_good"] = made.lipsync.fidelity is Fidelity.REAL
    found["note"] = " ".join(made.lipsync.notes)
    found["good"] = _kept(place.review(made))
    if is_planted and found["is_good"]:
        other = _made(place, folder, number + 1, face, like=made)
        found["planted"] = {name: _kept(review) for name, review in _planted(place, folder, face, made, other)}
    return found


def _planted(
    place: Workshop, folder: Path, face: Path, made: Made, other: Made
) -> Iterator[tuple[str, QAReviewResult]]:
    source, theirs = place.store.fetch(made.video), place.store.fetch(other.video)
    plants = dict(PLANTS)
    plants["still face"] = still_face(place.store.fetch(_mute(place, folder, made, face)))
    for name, plant in plants.items():
        target = folder / "planted.mp4"
        plant(source, theirs, target)
        broken = made.with_video(place.put(target))
        yield name, place.review(broken)
        if "200 ms" in name:  # the lag by what is seen and heard alone
            yield f"{name}, nothing told", place.review(broken, mouth_curve=None)
    # The whole production is of another voice but for the mouth, which was told the first one's words.
    yield (
        "mouth of another voice",
        place.review(Made(other.audio, other.script, made.lipsync, _under(place, folder, made, other))),
    )


def _mute(place: Workshop, folder: Path, made: Made, face: Path) -> ArtifactRef:
    """The same face for as long, with nothing to say."""
    count = round(made.script.duration_seconds * RATE_HZ)
    nothing = make_sound(folder / "nothing.wav", np.zeros((1, count), np.float32), RATE_HZ)
    return place.make(face, nothing).lipsync.aligned_video


def _under(place: Workshop, folder: Path, made: Made, other: Made) -> Any:
    target = folder / "under.mp4"
    PLANTS["another sound"](place.store.fetch(made.video), place.store.fetch(other.video), target)
    return place.put(target)


def _kept(review: QAReviewResult) -> dict[str, Any]:
    return {
        "verdict": review.verdict.value,
        "checks": {check.id: [check.status, check.value, check.confidence] for check in review.checks},
    }


def _told(kept: dict[str, Any]) -> str:
    found = [f"{name} {values[1]}" for name, values in kept["checks"].items() if values[0] in {"warn", "fail"}]
    return f"{kept['verdict']}: {', '.join(found) or 'nothing found'}"


def _made(place: Workshop, folder: Path, number: int, face: Path, like: Made | None = None) -> Made:
    """``like``: exactly as long as that one."""
    _, parts = VOICES[number % len(VOICES)]
    joined = np.concatenate([np.pad(_recording(name), (0, RATE_HZ // 2)) for name in parts])
    late = (number // len(VOICES)) * 37  # samples: another digest, the same speech
    samples = np.pad(joined, (late, 0))[: round(SECONDS * RATE_HZ)]
    if like is not None:
        count = round(like.script.duration_seconds * RATE_HZ)
        samples = np.pad(samples[:count], (0, max(0, count - len(samples))))
    voice = make_sound(folder / f"voice-{number}.wav", samples[None], RATE_HZ)
    words = None
    if parts[0].startswith("voice"):
        words = folder / f"words-{number}.txt"
        words.write_text("\n".join((SAMPLES / f"{name}.txt").read_text().strip() for name in parts))
    return place.make(face, voice, words)


def _recording(name: str) -> npt.NDArray[np.float32]:
    path = SAMPLES / f"{name}.wav"
    return read_audio(path if path.is_file() else SPEECH / f"{name}.flac", RATE_HZ)


def _face(folder: Path, number: int) -> tuple[Path, str]:
    """Two drawn faces, then the portrait, then a film of one of them that sways."""
    kind = number % 4
    if kind < 2:
        picture, what = _drawn(number)
    else:
        picture, what = _portrait(number)
    path = folder / f"face-{number}.png"
    cv2.imwrite(str(path), picture)
    if kind < 3:
        return path, what
    film = folder / f"face-{number}.mp4"
    with VideoWriter(film, width=SIDE_PX, height=SIDE_PX, fps=FPS, profile=DeliveryProfile(crf=18)) as writer:
        for index in range(round(6 * FPS)):
            phase = 2 * np.pi * index / 75
            turn = cv2.getRotationMatrix2D(
                (SIDE_PX / 2, SIDE_PX / 2), 2.5 * np.sin(phase), 1 + 0.02 * np.sin(2 * phase)
            )
            turn[:, 2] += (7 * np.sin(phase), 3 * np.cos(phase))
            moved = cv2.warpAffine(picture, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
            writer.write(np.asarray(moved, np.uint8))
    return film, f"film of {what}"


def _drawn(number: int) -> tuple[Bgr, str]:
    chance = np.random.default_rng(number)
    face = DrawnFace(
        skin=str(chance.choice(tuple(SKINS))),
        mouth=str(chance.choice(("closed", "thin", "full", "smile", "parted"))),
        beard=bool(chance.random() < 0.2),
        glasses=bool(chance.random() < 0.25),
        roll_degrees=float(chance.uniform(-12, 12)),
        turn=float(chance.uniform(-0.25, 0.25)),
        light=float(chance.uniform(-1, 1)),
        blur_px=float(chance.uniform(0.5, 1.6)),
        seed=number,
    )
    return draw_face(face, SIDE_PX), f"drawn {face.name}"


def _portrait(number: int) -> tuple[Bgr, str]:
    chance = np.random.default_rng(number)
    portrait = cv2.imread(str(SAMPLES / "presenter.png"))
    roll, zoom, gain = chance.uniform(-12, 12), chance.uniform(0.9, 1.3), chance.uniform(0.55, 1.15)
    side = portrait.shape[0]
    turn = cv2.getRotationMatrix2D((0.5 * side, 0.42 * side), float(roll), float(zoom) * SIDE_PX / side)
    turn[:, 2] += SIDE_PX / 2 - np.array([0.5 * side, 0.42 * side])
    moved = cv2.warpAffine(portrait, turn, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    shown = np.clip(moved.astype(np.float32) * gain, 0, 255).astype(np.uint8)
    return shown, f"portrait roll {roll:+.0f} zoom {zoom:.1f} light {gain:.1f}"


if __name__ == "__main__":
    main()
