"""The checks by id, with title, unit, default limits and version.

The shape follows the EBU's QC items (qc.ebu.io, Tech 3363): one atomic, versioned check each. A version counts when the
same file would be measured otherwise. How each measures stands in ``_signal_parameters``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from contracts.production import CheckLimits


class Kind(NamedTuple):
    title: str
    unit: str = ""
    limits: CheckLimits = CheckLimits()
    version: int = 1


def _limits(
    warn: tuple[float | None, float | None] = (None, None), fail: tuple[float | None, float | None] = (None, None)
) -> CheckLimits:
    """(below, above) of each."""
    return CheckLimits(warn_below=warn[0], warn_above=warn[1], fail_below=fail[0], fail_above=fail[1])


KINDS: Mapping[str, Kind] = {
    # The file
    "readable": Kind("The file decodes to its end", "faults", _limits(fail=(None, 0)), version=2),
    "streams": Kind("One picture and one sound"),
    "container": Kind("Plays in browsers and players"),
    "colour": Kind("Colours are tagged"),
    "duration_streams": Kind("Picture and sound end together", "ms", _limits((None, 80), (None, 200))),
    "duration_source": Kind("As long as the recording", "ms", _limits((-60, 100), (-150, 500))),
    "start_offset": Kind("Picture and sound start together", "ms", _limits((-20, 20), (-40, 60))),
    "frame_rate": Kind("Constant frame rate", "frames", _limits((None, 1.25), (None, 1.75))),
    # The picture
    "black": Kind("No black picture", "s", _limits((None, 0), (None, 0.1))),
    "blur": Kind("The face is sharp", "", _limits((None, 0.65))),
    "levels": Kind("Brightness stays in its range", "share", _limits((None, 0.01), (None, 0.05))),
    "face_present": Kind("Face in the picture", "share", _limits((0.9, None), (0.5, None))),
    "face_steady": Kind("The face does not leap", "widths", _limits((None, 0.4), (None, 1.0))),
    "frozen_face": Kind("Face moves while it speaks", "s", _limits((None, 0.6), (None, 1.0))),
    "outside_mouth": Kind("Nothing changed but the mouth", "SSIM", _limits((0.85, None), (0.7, None))),
    "seams": Kind("Lip-sync begins and ends softly", "of a movement", _limits((None, 1.5), (None, 3.0))),
    # The sound
    "silence": Kind("No hole in the sound", "s", _limits((None, 0.15), (None, 0.4))),
    "clipping": Kind("Sound is not clipped", "places", _limits((None, 0), (None, 20))),
    "loudness": Kind("Loudness on target", "LUFS", _limits((-1, 1), (-3, 2))),
    "loudness_range": Kind("Quiet and loud parts are close", "LU", _limits((None, 18), (None, 25))),
    "true_peak": Kind("True peak under its limit", "dBTP", _limits((None, 0.1), (None, 1))),
    "audio_content": Kind("The sound is the recording", "share", _limits((0.9, None), (0.7, None))),
    "audio_shift": Kind("Sound in its place", "ms", _limits((-20, 20), (-40, 60))),
    # The mouth
    "mouth_as_told": Kind("Mouth moves as intended", "r", _limits((0.7, None), (0.5, None))),
    "mouth_with_voice": Kind("Mouth moves with the voice", "r", _limits((0.4, None), (0.2, None))),
    "lip_lag": Kind("Lips in time with the voice", "ms", _limits((-125, 45), (-185, 90))),
    "mouth_in_silence": Kind("Mouth rests in silence", "of speech", _limits((None, 0.6))),
    # The words
    "captions": Kind("Captions fit", "captions", _limits(fail=(None, 0))),
    "captions_text": Kind("Captions say the script", "of the words", _limits((None, 0.02), (None, 0.2))),
    "script_in_sound": Kind("The script is heard", "share", _limits((0.8, None), (0.6, None))),
    "word_error_rate": Kind("As well understood as the recording", "share more", _limits((None, 0.1), (None, 0.3))),
    "fidelity": Kind("Everything was really done"),
}
