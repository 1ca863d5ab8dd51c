"""Checks of the mouth's movement: as intended, with the voice, and in time."""

from typing import Literal, NamedTuple

import numpy as np

from contracts.qa import QACheck
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_mouth import Mouth, VoiceKind
from providers.qa._signal_sound import true_spans
from providers.qa._signal_sync import CURVE_RATE_HZ, Agreement, best_agreement, moved

LEAST_INTENT = 0.05
EDGE_OF_SPEECH_SECONDS = 0.25  # lips open before the sound and close after it
LEAST_QUIET_SECONDS = 0.5
LEAST_SPEECH_SECONDS = 3.0  # a lag from the intended curve is good within 10 ms from here on
LEAST_CORRELATION = 0.5  # below it a lag is chance: unrelated speech reached 0.5 on short clips


class _Voice(NamedTuple):
    """What the opening is compared with, from how much speech on, what is usual, and what a low value is good for."""

    what: str
    least_speech_seconds: float
    usual: str
    at_worst: Literal["warn", "fail"]


_VOICES: dict[VoiceKind, _Voice] = {
    "phones": _Voice("phones", 4.0, "0.5 to 0.9, and under 0.45 for other words", "fail"),
    "loudness": _Voice("loudness", 5.0, "0.4 to 0.8, and up to 0.5 for other words", "warn"),
}


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
    voice = _VOICES[mouth.voice_kind]
    if mouth.speech_seconds < voice.least_speech_seconds:
        return catalogue.skipped(check_id, _too_short(mouth, voice.least_speech_seconds))
    if not mouth.moves:
        return catalogue.measured(check_id, 0.0, "The mouth does not move while somebody speaks.")
    found = best_agreement(mouth.measured, mouth.voice, CURVE_RATE_HZ)
    if found is None:
        return catalogue.skipped(check_id, "Nothing varies that could be compared.")
    reached = f"with r = {found.correlation:.2f}; usual is {voice.usual}"
    message = f"The opening seen follows the {voice.what} of the voice {reached}."
    return catalogue.measured(check_id, found.correlation, message, digits=2, at_worst=voice.at_worst)


def lip_lag(catalogue: Catalogue, mouth: Mouth) -> QACheck:
    """Against the intended curve, moved with the sound; against the voice itself where there is no curve."""
    check_id = "lip_lag"
    if not mouth.face_seen or not mouth.moves:
        return catalogue.skipped(check_id, "No mouth is seen to move.")
    has_reference = mouth.intended is not None and mouth.sound_shift_seconds is not None
    least = LEAST_SPEECH_SECONDS if has_reference else _VOICES[mouth.voice_kind].least_speech_seconds
    if mouth.speech_seconds < least:
        return catalogue.skipped(check_id, _too_short(mouth, least))
    found = _lag(mouth)
    if found is None or found.correlation < LEAST_CORRELATION:
        reached = f"r = {found.correlation:.2f}" if found else "nothing comparable"
        return catalogue.skipped(check_id, f"The mouth follows too little for a lag to be told ({reached}).")
    late_ms = found.lag_seconds * 1000
    how = "" if has_reference else " It was told from the voice alone, which is good within 120 ms."
    where = "in time with" if abs(late_ms) < 1 else f"{abs(late_ms):.0f} ms {'behind' if late_ms > 0 else 'ahead of'}"
    message = f"The mouth is {where} the voice.{how}"
    check = catalogue.measured(check_id, late_ms, message, digits=0, at_worst="fail" if has_reference else "warn")
    return check.model_copy(update={"confidence": found.confidence})


def in_silence(catalogue: Catalogue, mouth: Mouth) -> QACheck:
    """How much the mouth moves where nobody speaks, against how much it does where somebody does."""
    check_id = "mouth_in_silence"
    if not mouth.face_seen or not mouth.moves:
        return catalogue.skipped(check_id, "No mouth is seen to move.")
    count = min(len(mouth.measured), len(mouth.speaks))
    opening, speaks = mouth.measured[:count], mouth.speaks[:count]
    near = round(EDGE_OF_SPEECH_SECONDS * CURVE_RATE_HZ)
    window = np.ones(2 * near + 1)
    is_far = np.convolve(speaks, window, "same")[:count] < 0.5
    quiet, loud = (opening[flags & np.isfinite(opening)] for flags in (is_far, speaks))
    if min(quiet.size, loud.size) < LEAST_QUIET_SECONDS * CURVE_RATE_HZ:
        return catalogue.skipped(check_id, f"Under {LEAST_QUIET_SECONDS:g} s of silence or of speech.")
    share = float(np.ptp(np.percentile(quiet, (5, 95)))) / max(float(np.ptp(np.percentile(loud, (5, 95)))), 1e-6)
    message = f"In {quiet.size / CURVE_RATE_HZ:.1f} s of silence the mouth moves {share:.0%} as far as in speech."
    floor = float(np.percentile(loud, 50))
    evidence = true_spans(is_far & (np.nan_to_num(opening) > floor), CURVE_RATE_HZ)
    check = catalogue.measured(check_id, share, message, digits=2, evidence=evidence, at_worst="warn")
    return check if check.status != "pass" else check.model_copy(update={"evidence": ()})


def _lag(mouth: Mouth) -> Agreement | None:
    if mouth.intended is None or mouth.sound_shift_seconds is None:
        return best_agreement(mouth.measured, mouth.voice, CURVE_RATE_HZ)
    heard = moved(mouth.intended, CURVE_RATE_HZ, mouth.sound_shift_seconds)
    return best_agreement(mouth.measured, heard, CURVE_RATE_HZ)


def _too_short(mouth: Mouth, least_seconds: float) -> str:
    return f"Only {mouth.speech_seconds:.2f} s of speech; expected at least {least_seconds:g} s."
