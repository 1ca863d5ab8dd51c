"""Checks of the mouth's movement: as intended, with the voice, and in time."""

from dataclasses import dataclass

import numpy as np

from contracts.qa import QACheck
from contracts.script import MouthCurve
from providers._media.mouth_measure import MouthTrack
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_sync import CURVE_RATE_HZ, Agreement, Signal, best_agreement, moved, on_grid

LEAST_TRAVEL = 0.003  # of the mouth region: speaking mouths measured 0.0056 and more, still faces under 0.001
LEAST_INTENT = 0.05
LEAST_SPEECH_SECONDS = 3.0  # a lag from the intended curve is good within 10 ms from here on
LEAST_SPEECH_WITHOUT_CURVE_SECONDS = 5.0  # from the voice alone it is good within 120 ms, nine times in ten
LEAST_CORRELATION = 0.5  # below it a lag is chance: unrelated speech reached 0.5 on short clips


@dataclass(frozen=True)
class Mouth:
    """What the three checks compare, all on one grid from the file's beginning at CURVE_RATE_HZ.

    ``intended`` is where the mouth should open if sound and picture stood as the lip-sync had them.
    """

    measured: Signal
    intended: Signal | None
    voice: Signal
    moves: bool
    face_seen: bool
    speech_seconds: float
    sound_shift_seconds: float | None


def on_one_grid(
    track: MouthTrack,
    curve: MouthCurve | None,
    envelope: Signal,
    *,
    picture_offset_seconds: float,
    sound_offset_seconds: float,
    duration_seconds: float,
    speech_seconds: float,
    sound_shift_seconds: float | None,
) -> Mouth:
    times = track.times_seconds + picture_offset_seconds
    voice = on_grid(np.arange(len(envelope)) / CURVE_RATE_HZ + sound_offset_seconds, envelope, duration_seconds)
    return Mouth(
        measured=on_grid(times, track.opening, duration_seconds),
        intended=_curve_on_grid(curve, duration_seconds) if curve else None,
        voice=voice,
        moves=track.travel >= LEAST_TRAVEL,
        face_seen=track.face_share > 0,
        speech_seconds=speech_seconds,
        sound_shift_seconds=sound_shift_seconds,
    )


def as_told(catalogue: Catalogue, mouth: Mouth) -> QACheck:
    check_id = "mouth_as_told"
    if mouth.intended is None:
        return catalogue.skipped(check_id, "Lip-sync left no intended curve to compare with.")
    if not mouth.face_seen:
        return catalogue.skipped(check_id, "No face was seen.")
    if not len(mouth.intended) or float(np.ptp(mouth.intended)) < LEAST_INTENT:
        return catalogue.skipped(check_id, "The mouth was to stay closed.")
    if not mouth.moves:
        return catalogue.measured(check_id, 0.0, "The mouth does not move, though it was told to.")
    found = best_agreement(mouth.measured, mouth.intended, CURVE_RATE_HZ)
    if found is None:
        return catalogue.skipped(check_id, "Nothing varies that could be compared.")
    message = f"The opening seen follows the intended one with r = {found.correlation:.2f}."
    return catalogue.measured(check_id, found.correlation, message, digits=2)


def with_voice(catalogue: Catalogue, mouth: Mouth) -> QACheck:
    check_id = "mouth_with_voice"
    if not mouth.face_seen:
        return catalogue.skipped(check_id, "No face was seen.")
    if mouth.speech_seconds < LEAST_SPEECH_WITHOUT_CURVE_SECONDS:
        return catalogue.skipped(check_id, _too_short(mouth, LEAST_SPEECH_WITHOUT_CURVE_SECONDS))
    if not mouth.moves:
        return catalogue.measured(check_id, 0.0, "The mouth does not move while somebody speaks.")
    found = best_agreement(mouth.measured, mouth.voice, CURVE_RATE_HZ)
    if found is None:
        return catalogue.skipped(check_id, "Nothing varies that could be compared.")
    message = (
        f"The opening seen follows the loudness of the voice with r = {found.correlation:.2f}; "
        "real speakers reach about 0.5, unrelated speech about 0.3."
    )
    return catalogue.measured(check_id, found.correlation, message, digits=2)


def lip_lag(catalogue: Catalogue, mouth: Mouth) -> QACheck:
    """Against the intended curve, moved with the sound; against the voice itself where there is no curve."""
    check_id = "lip_lag"
    if not mouth.face_seen or not mouth.moves:
        return catalogue.skipped(check_id, "No mouth is seen to move.")
    has_reference = mouth.intended is not None and mouth.sound_shift_seconds is not None
    least = LEAST_SPEECH_SECONDS if has_reference else LEAST_SPEECH_WITHOUT_CURVE_SECONDS
    if mouth.speech_seconds < least:
        return catalogue.skipped(check_id, _too_short(mouth, least))
    found = _lag(mouth)
    if found is None or found.correlation < LEAST_CORRELATION:
        reached = f"r = {found.correlation:.2f}" if found else "nothing comparable"
        return catalogue.skipped(check_id, f"The mouth follows too little for a lag to be told ({reached}).")
    late_ms = found.lag_seconds * 1000
    how = "" if has_reference else " It was told from the voice alone, which is good within 120 ms."
    message = f"The mouth is {abs(late_ms):.0f} ms {'behind' if late_ms >= 0 else 'ahead of'} the voice.{how}"
    return catalogue.measured(check_id, late_ms, message, digits=0, at_worst="fail" if has_reference else "warn")


def _lag(mouth: Mouth) -> Agreement | None:
    if mouth.intended is None or mouth.sound_shift_seconds is None:
        return best_agreement(mouth.measured, mouth.voice, CURVE_RATE_HZ)
    heard = moved(mouth.intended, CURVE_RATE_HZ, mouth.sound_shift_seconds)
    return best_agreement(mouth.measured, heard, CURVE_RATE_HZ)


def _curve_on_grid(curve: MouthCurve, duration_seconds: float) -> Signal:
    opening = np.array(curve.opening, np.float32)
    return on_grid(np.arange(len(opening)) / curve.rate_hz, opening, duration_seconds)


def _too_short(mouth: Mouth, least_seconds: float) -> str:
    return f"Only {mouth.speech_seconds:.1f} s of speech; expected at least {least_seconds:g} s."
