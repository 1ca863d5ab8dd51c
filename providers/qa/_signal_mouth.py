"""The mouth as seen, as intended, and as the voice asks for it, side by side on one time axis."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Span
from contracts.script import MouthCurve
from providers._speech.visemes import mouth_motion
from providers.qa._signal_evidence import Evidence, total_seconds
from providers.qa._signal_sync import CURVE_RATE_HZ, Signal, moved, on_grid

LEAST_TRAVEL = 0.007  # of the mouth region: 43 speaking mouths moved by 0.010 and more, 15 still ones by up to 0.0057

VoiceKind = Literal["phones", "loudness"]


@dataclass(frozen=True)
class Mouth:
    """Curves from the file's beginning at CURVE_RATE_HZ.

    ``intended`` is where the mouth should open if sound and picture stood as lip-sync had them; ``voice`` is what
    the sound asks for where it is heard, from its phones where they are known, else from its loudness.
    """

    measured: Signal
    intended: Signal | None
    voice: Signal
    voice_kind: VoiceKind
    moves: bool
    face_seen: bool
    speech_seconds: float
    sound_shift_seconds: float | None
    speaks: npt.NDArray[np.bool_]
    """Somebody speaks there, in the finished file's time."""


def mouth_of(found: Evidence) -> Mouth:
    track, duration_seconds = found.picture.mouth, found.picture_end_seconds
    shift = found.comparison.shift_seconds
    sound_shift = None if shift is None else shift + found.sound_offset_seconds
    by_phones = None if sound_shift is None else _asked_by_phones(found, sound_shift)
    return Mouth(
        measured=on_grid(track.times_seconds + found.picture_offset_seconds, track.opening, duration_seconds),
        intended=_curve(found.curve, duration_seconds) if found.curve else None,
        voice=_asked_by_loudness(found) if by_phones is None else by_phones,
        voice_kind="loudness" if by_phones is None else "phones",
        moves=track.travel >= LEAST_TRAVEL,
        face_seen=track.face_share > 0,
        speech_seconds=total_seconds(found.speech),
        sound_shift_seconds=sound_shift,
        speaks=_flags(found.speech, sound_shift or 0.0, duration_seconds),
    )


def _flags(spans: tuple[Span, ...], shift_seconds: float, duration_seconds: float) -> npt.NDArray[np.bool_]:
    times = np.arange(0.0, duration_seconds, 1 / CURVE_RATE_HZ) - shift_seconds
    flags = np.zeros(len(times), bool)
    for span in spans:
        flags |= (times >= span.start_seconds) & (times < span.end_seconds_exclusive)
    return flags


def _curve(curve: MouthCurve, duration_seconds: float) -> Signal:
    opening = np.array(curve.opening, np.float32)
    return on_grid(np.arange(len(opening)) / curve.rate_hz, opening, duration_seconds)


def _asked_by_phones(found: Evidence, sound_shift_seconds: float) -> Signal | None:
    if not found.phones:
        return None
    opening = mouth_motion(found.phones, found.source.duration_seconds, CURVE_RATE_HZ).opening.astype(np.float32)
    times = np.arange(len(opening)) / CURVE_RATE_HZ
    return moved(on_grid(times, opening, found.picture_end_seconds), CURVE_RATE_HZ, sound_shift_seconds)


def _asked_by_loudness(found: Evidence) -> Signal:
    envelope = found.sound.envelope()
    times = np.arange(len(envelope)) / CURVE_RATE_HZ + found.sound_offset_seconds
    return on_grid(times, envelope, found.picture_end_seconds)
