"""What does a review of a minute at 720p take, and which checks take it? Two tables for ``docs/performance.md``.

    python -m benchmarks.qa

A photo that speaks for 60 s, 1280x720, as the shipped providers make it (not measured). A group's figure is what a pass
with it takes more than a pass without. About two minutes on two quiet cores.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av.video
import cv2
import numpy as np
from av.video.frame import VideoFrame

from benchmarks.qa_parts.productions import PROJECT, Made, Workshop, workshop
from benchmarks.record import keep_tables
from contracts.faces import FaceOptions
from providers._media.audio import read_audio, read_audio_blocks
from providers._media.bgr import BgrConverter
from providers._media.face_looks import FaceLooks
from providers._media.mouth_places import MouthPlaces
from providers._media.survey import Visitors, survey
from providers.qa._signal_outside import BeforeMouth
from providers.qa._signal_pass import FilePass, luma_of
from providers.qa._signal_picture import Watcher
from providers.qa._signal_sound import LISTEN_RATE_HZ, listen
from providers.qa._signal_source import compare
from providers.qa._signal_words import placed_words, word_errors
from tests.media import make_sound

WIDTH, HEIGHT, SECONDS, LONG_SIDE, RUNS = 1280, 720, 60, 480, 3
COMMAND = "python -m benchmarks.qa"
Row = dict[str, Any]


def main() -> None:
    started = time.monotonic()
    with workshop("web") as place, tempfile.TemporaryDirectory() as name:
        made = _production(place, Path(name))
        whole = min((_whole(place, made) for _ in range(RUNS)), key=lambda row: row["wall_seconds"])
        groups = _groups(place, made)
    whole |= {"of_the_length": round(whole["wall_seconds"] / SECONDS, 3), "target_seconds": 10}
    tables = {
        f"A whole review of {SECONDS} s at {WIDTH}x{HEIGHT}, best of {RUNS}": [whole],
        "By group of checks": groups,
    }
    keep_tables("qa", tables, started, command=COMMAND)
    for title, rows in tables.items():
        print(title)
        for row in rows:
            print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))


def _production(place: Workshop, folder: Path) -> Made:
    """The shipped portrait before a plain wall says the shipped sentence again and again."""
    portrait = cv2.resize(cv2.imread(str(PROJECT / "samples/presenter.png")), (HEIGHT, HEIGHT))
    margin = (WIDTH - HEIGHT) // 2
    photo = cv2.copyMakeBorder(portrait, 0, 0, margin, margin, cv2.BORDER_REPLICATE)
    cv2.imwrite(str(folder / "face.png"), photo)
    blocks = read_audio_blocks(PROJECT / "samples/voice.wav", sample_rate_hz=LISTEN_RATE_HZ, mono=True)
    sentence = np.concatenate(list(blocks), axis=1)
    times = SECONDS * LISTEN_RATE_HZ // sentence.shape[1]
    voice = np.tile(sentence, (1, times + 1))[:, : SECONDS * LISTEN_RATE_HZ]
    words = folder / "words.txt"
    words.write_text("\n".join([(PROJECT / "samples/voice.txt").read_text().strip()] * times))
    return place.make(folder / "face.png", make_sound(folder / "voice.wav", voice, LISTEN_RATE_HZ), words)


def _whole(place: Workshop, made: Made) -> Row:
    """In a store that knows nothing yet, so that the face is looked for."""
    refs = (made.video, made.audio, made.lipsync.mouth_curve, made.lipsync.before_mouth, made.script.captions_srt)
    with workshop("web") as fresh:
        for ref in refs:
            if ref is not None:
                with place.store.open(ref) as stream:
                    fresh.store.put(stream, ref.media_type)
        cpu, wall, _ = _timed(lambda: fresh.review(made))
    return {"cpu_seconds": cpu, "wall_seconds": wall}


def _groups(place: Workshop, made: Made) -> list[Row]:
    path, recording = place.store.fetch(made.video), place.store.fetch(made.audio)
    before = place.store.fetch(made.lipsync.before_mouth) if made.lipsync.before_mouth else None
    bare = _timed(lambda: survey(path))
    reduced = _timed(lambda: survey(path, Visitors(video=_reduced())))
    watched = _timed(lambda: survey(path, Visitors(video=_watching(place, made, None))))
    compared = _timed(lambda: survey(path, Visitors(video=_watching(place, made, before))))
    file = FilePass(lambda size: Watcher(), LONG_SIDE, lambda done, total, note="": None, keeps_sound=True)
    heard = _timed(lambda: survey(path, Visitors(audio=file.hear)))
    sound = file.sound()
    source = _timed(lambda: compare(sound.sound, listen(_blocks(recording))))
    words = _timed(lambda: placed_words(sound.samples, made.script, 0.0))
    if sound.samples is None:
        raise SystemExit("expected the sound to be kept")
    samples = sound.samples
    errors = _timed(lambda: word_errors(samples, read_audio(recording, LISTEN_RATE_HZ), made.script))
    return [
        _row("file: streams, durations, frame rate, colour, every frame decoded", bare),
        _row("the picture at reduced size", reduced, bare),
        _row("black, frozen, face, blur, levels, mouth, lag", watched, reduced),
        _row("what changed besides the mouth", compared, watched),
        _row("loudness, range, peak, clipping", heard, bare),
        _row("the recording: same, in place, holes", source),
        _row("the script in the sound", words),
        _row("word error rate, on request", errors),
    ]


def _row(checks: str, found: tuple[float, float, Any], less: tuple[float, float, Any] = (0.0, 0.0, None)) -> Row:
    """What it takes more than ``less``."""
    cpu, wall = (round(max(0.0, mine - other), 2) for mine, other in zip(found[:2], less[:2], strict=True))
    return {"checks": checks, "cpu_seconds": cpu, "wall_seconds": wall}


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return round(time.process_time() - cpu, 2), round(time.perf_counter() - wall, 2), found


def _blocks(path: Path) -> Any:
    return read_audio_blocks(path, sample_rate_hz=LISTEN_RATE_HZ, mono=True)


def _reduced() -> Any:
    converters: list[BgrConverter] = []

    def see(frame: VideoFrame, time_seconds: float, stream: av.video.VideoStream) -> None:
        if not converters:
            converters.append(BgrConverter(stream, LONG_SIDE, is_rough=True))
        converters[0](frame)

    return see


def _watching(place: Workshop, made: Made, before: Path | None) -> Any:
    eye = FaceLooks(made.video, place.store, FaceOptions(), {}, (WIDTH, HEIGHT))
    watcher = Watcher(MouthPlaces(eye), BeforeMouth(before) if before else None)
    reduced: list[BgrConverter] = []

    def see(frame: VideoFrame, time_seconds: float, stream: av.video.VideoStream) -> None:
        if not reduced:
            reduced.append(BgrConverter(stream, LONG_SIDE, is_rough=True))
        watcher.add(time_seconds, reduced[0](frame), luma_of(frame))

    return see


if __name__ == "__main__":
    main()
