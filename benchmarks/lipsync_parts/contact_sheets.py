"""Contact sheets of lip-sync: many faces and voices, a row of frames each, for a person to look at.

    python -m benchmarks.lipsync_parts.contact_sheets --to build/contact-sheets --media FOLDER

The shipped portrait at several tones, drawn faces, and every photo and video of ``--media``. A row shows the face from
its most closed to its widest frame, and says how honest the render is and how well the mouth moved as told (r).
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.lipsync_parts.trial import Bgr, Trial, studio
from providers._media.audio import read_audio_blocks
from providers._media.faces import Face, find_faces
from providers._media.frames import read_frames, read_picture
from tests.drawn_faces import MOUTHS, SKINS, DrawnFace, draw_face
from tests.media import make_sound

PROJECT = Path(__file__).parents[2]
VOICES = tuple(PROJECT / path for path in ("samples/voice_short.wav", "samples/voice.wav")) + tuple(
    PROJECT / f"tests/samples/speech/{language}.flac" for language in ("de", "fr", "es", "cmn")
)
SECONDS = 3.0
TONES = {"darker skin": ((0.45, 0.55, 0.66), 1.2), "dim": ((0.5, 0.5, 0.5), 1.0), "warm": ((0.7, 0.9, 1.0), 1.0)}
COLUMNS, TILE_PX, ROWS_PER_SHEET = 9, 150, 8
FILMS = {".mp4", ".mpg", ".mov", ".webm", ".mkv"}
PHOTOS = {".png", ".jpg", ".jpeg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PROJECT / "build" / "contact-sheets")
    parser.add_argument("--media", type=Path, action="append", default=[], help="a folder of photos and videos")
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    rows: list[Bgr] = []
    usable = real = 0
    with tempfile.TemporaryDirectory() as name, studio() as place:
        folder = Path(name)
        voices = itertools.cycle([_cut(voice, folder) for voice in VOICES])
        for label, face, is_usable in faces(folder, chosen.media):
            trial = place.render(face, next(voices))
            usable += is_usable
            real += is_usable and trial.result.fidelity == "real"
            notes = " ".join(trial.result.notes)[:110]
            print(f"{label:<44} {trial.result.fidelity:<12} r {trial.correlation:5.2f}  {notes}", flush=True)
            rows.append(_row(label, face, trial))
            if len(rows) % ROWS_PER_SHEET == 0:
                _write(chosen.to, rows[-ROWS_PER_SHEET:], len(rows) // ROWS_PER_SHEET)
    rest = len(rows) % ROWS_PER_SHEET
    if rest:
        _write(chosen.to, rows[-rest:], len(rows) // ROWS_PER_SHEET + 1)
    share = real / max(1, usable)
    print(f"{len(rows)} renders; of {usable} usable frontal faces {real} in full ({share:.0%}): {chosen.to}")


def faces(folder: Path, media: list[Path]) -> Iterator[tuple[str, Path, bool]]:
    """Name, file, and whether it is a frontal face with a mouth that can be seen; of ``media`` that is not known."""
    for name, bgr in _portraits():
        yield _kept(folder, f"portrait {name}", bgr), folder / f"portrait {name}.png", True
    for face, is_usable in _drawn():
        label = f"drawn {face.name} {face.seed}"
        yield _kept(folder, label, draw_face(face)), folder / f"{label}.png", is_usable
    for source in media:
        for path in sorted(source.iterdir()):
            if path.suffix.lower() in FILMS | PHOTOS:
                yield path.name, path, False


def _portraits() -> Iterator[tuple[str, Bgr]]:
    """The shipped portrait: sizes, tilts, lights and skins."""
    portrait = np.asarray(cv2.imread(str(PROJECT / "samples" / "presenter.png")), np.uint8)
    yield "as it is", portrait
    yield "small", np.asarray(cv2.resize(portrait, (240, 240), interpolation=cv2.INTER_AREA), np.uint8)
    for degrees in (-20, -10, 10, 20):
        turn = cv2.getRotationMatrix2D((340, 300), degrees, 1)
        yield (
            f"tilted {degrees}",
            np.asarray(cv2.warpAffine(portrait, turn, (720, 720), borderMode=cv2.BORDER_REPLICATE), np.uint8),
        )
    for name, (scale, power) in TONES.items():
        yield name, np.clip(255 * (portrait / 255) ** power * scale, 0, 255).astype(np.uint8)
    yield "mirrored", np.ascontiguousarray(portrait[:, ::-1])


def _drawn() -> Iterator[tuple[DrawnFace, bool]]:
    for seed, (skin, mouth) in enumerate(itertools.product(SKINS, MOUTHS)):
        yield DrawnFace(skin=skin, mouth=mouth, seed=seed, light=(-0.6, 0.0, 0.6)[seed % 3]), mouth != "wide"
    for seed, skin in enumerate(SKINS, start=100):
        yield DrawnFace(skin=skin, mouth="full", beard=True, seed=seed), True
        yield DrawnFace(skin=skin, mouth=("closed", "smile")[seed % 2], glasses=True, seed=seed), True
        yield DrawnFace(skin=skin, mouth="closed", moustache=True, seed=seed), False
    for degrees in (-20, -12, 12, 20):
        yield DrawnFace(skin="tan", mouth="closed", roll_degrees=degrees, seed=200 + degrees), True
    yield DrawnFace(mouth="closed", hand=True, seed=300), False
    yield DrawnFace(mouth="closed", turn=0.5, seed=301), False
    yield DrawnFace(skin="brown", mouth="closed", turn=-1.0, seed=302), False


def _kept(folder: Path, label: str, bgr: Bgr) -> str:
    cv2.imwrite(str(folder / f"{label}.png"), bgr)
    return label


def _cut(voice: Path, folder: Path) -> Path:
    """Its first seconds, 16 kHz mono."""
    samples = np.concatenate(list(read_audio_blocks(voice, sample_rate_hz=16_000, mono=True)), axis=1)
    return make_sound(folder / f"{voice.stem}.wav", samples[:, : round(SECONDS * 16_000)], 16_000)


def _row(label: str, face: Path, trial: Trial) -> Bgr:
    frames = trial.frames or [_first_picture(face)]
    order = np.argsort(trial.told, kind="stable") if trial.frames else np.zeros(1, int)
    chosen = [frames[int(index)] for index in order[np.linspace(0, len(order) - 1, COLUMNS).astype(int)]]
    found = find_faces(frames[0])
    size = (TILE_PX, TILE_PX)
    tiles = [cv2.resize(_cropped(frame, found), size, interpolation=cv2.INTER_AREA) for frame in chosen]
    row = np.hstack(tiles)
    said = f"{label}: {trial.result.fidelity.value} r {trial.correlation:.2f}"
    cv2.rectangle(row, (0, 0), (7 * len(said), 14), (0, 0, 0), -1)
    cv2.putText(row, said, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(row, np.uint8)


def _cropped(frame: Bgr, found: list[Face]) -> Bgr:
    if not found:
        return frame
    box = found[0].box
    x, y = found[0].centre
    reach = 0.62 * box.width
    top, left = max(0, int(y - 0.75 * reach)), max(0, int(x - reach))
    return frame[top : int(y + 1.25 * reach), left : int(x + reach)]


def _first_picture(face: Path) -> Bgr:
    if face.suffix.lower() in FILMS:
        return next(read_frames(face)).bgr
    return read_picture(face, max_long_side=1280)


def _write(folder: Path, rows: list[Bgr], number: int) -> None:
    cv2.imwrite(str(folder / f"sheet-{number:02d}.png"), np.vstack(rows))


if __name__ == "__main__":
    main()
