"""Small talking-head media, made from the shipped portrait, and an eye that measures lips without our landmarks."""

import math
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from contracts.production import DeliveryProfile
from contracts.script import Phone, ScriptResult
from providers._media.encode import VideoWriter
from providers._media.frames import read_frames

Bgr = npt.NDArray[np.uint8]

FPS = 25.0
MOUTH_IN_PORTRAIT = (340.0, 331.0)
"""Middle between the lips in the 720 pixels wide portrait, by eye."""

SPOKEN = (
    ("SIL", 0.0, 0.2),
    ("M", 0.2, 0.3),
    ("AA", 0.3, 0.5),
    ("M", 0.5, 0.62),
    ("AE", 0.62, 0.82),
    ("P", 0.82, 0.92),
    ("AH", 0.92, 1.1),
    ("F", 1.1, 1.22),
    ("IY", 1.22, 1.4),
    ("SIL", 1.4, 1.6),
)


def phones(spoken: tuple[tuple[str, float, float], ...] = SPOKEN) -> tuple[Phone, ...]:
    return tuple(Phone(symbol=name, start_seconds=start, end_seconds_exclusive=end) for name, start, end in spoken)


def script() -> ScriptResult:
    return ScriptResult(duration_seconds=1.6, phones=phones(), phones_origin="aligned")


def write_voice(path: Path, seconds: float = 1.6, sample_rate_hz: int = 16_000) -> Path:
    """A buzzing tone that swells and fades five times a second."""
    times = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    tone = np.sign(np.sin(2 * np.pi * 140 * times)) * (0.55 - 0.45 * np.cos(2 * np.pi * 5 * times))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes((tone * 0.3 * 32767).astype("<i2").tobytes())
    return path


def portrait(samples: Path, side_px: int) -> Bgr:
    return np.asarray(
        cv2.resize(cv2.imread(str(samples / "presenter.png")), (side_px, side_px), interpolation=cv2.INTER_AREA),
        np.uint8,
    )


def write_picture(path: Path, bgr: Bgr) -> Path:
    cv2.imwrite(str(path), bgr)
    return path


def write_film(path: Path, frames: Iterator[Bgr] | list[Bgr], fps: float = FPS) -> Path:
    frames = list(frames)
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width=width, height=height, fps=fps, profile=DeliveryProfile(crf=10)) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def swaying(bgr: Bgr, count: int) -> Iterator[Bgr]:
    """The picture shifted, rolled and zoomed as a head in front of a camera."""
    for index in range(count):
        yield np.asarray(
            cv2.warpAffine(bgr, sway(bgr, index), (bgr.shape[1], bgr.shape[0]), borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )


def sway(bgr: Bgr, index: int) -> npt.NDArray[np.float64]:
    """Transform (2, 3) of the frame ``index`` of ``swaying``."""
    side = bgr.shape[1]
    phase = 2 * math.pi * index / 40
    turn = cv2.getRotationMatrix2D((side * 0.47, side * 0.4), 5 * math.sin(phase), 1 + 0.06 * math.sin(2 * phase))
    turn[:, 2] += (side * 0.03 * math.sin(phase), side * 0.02 * (1 - math.cos(phase)))
    return turn


def noise(bgr: Bgr, seed: int = 1) -> Bgr:
    """A picture of the same size in which nobody is."""
    small = np.random.default_rng(seed).integers(60, 200, (6, 6, 3), np.uint8)
    return np.asarray(cv2.resize(small, (bgr.shape[1], bgr.shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)


def decoded(path: Path) -> list[Bgr]:
    return [frame.bgr for frame in read_frames(path)]


def gap_seen(bgr: Bgr, place: Callable[[int], tuple[float, float]] | None = None, index: int = 0) -> float:
    """Rows between the lips in the middle of the mouth, in thousandths of the picture's height.

    Inside of the mouth it is darker than any shade of the portrait's lips, or pale and less red than its skin.
    ``place`` gives the middle between the lips in the frame ``index``; by default that of the unmoved portrait.
    """
    side = bgr.shape[1]
    x, y = place(index) if place else (MOUTH_IN_PORTRAIT[0] * side / 720, MOUTH_IN_PORTRAIT[1] * side / 720)
    reach, half = round(side * 0.042), max(2, round(side * 0.018))
    column = bgr[round(y) - reach : round(y) + reach, round(x) - half : round(x) + half]
    lab = cv2.cvtColor(column, cv2.COLOR_BGR2LAB).astype(float).mean(axis=1)
    dark = np.clip((105 - lab[:, 0]) / 20, 0, 1)
    teeth = np.clip((136.8 - lab[:, 1]) / 2, 0, 1) * (lab[:, 0] > 150)
    return 1000 * float(np.sum(np.maximum(dark, teeth))) / bgr.shape[0]
