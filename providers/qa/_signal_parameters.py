"""How each check measures, by name and value, for the report; the values are the measuring modules' own."""

from collections.abc import Mapping

from providers._media import mouth_measure
from providers.qa import _signal_captions as captions
from providers.qa import _signal_file_checks as file
from providers.qa import _signal_look as look
from providers.qa import _signal_mouth_checks as mouth
from providers.qa import _signal_outside as outside
from providers.qa import _signal_picture as picture
from providers.qa import _signal_picture_checks as picture_checks
from providers.qa import _signal_sound as sound
from providers.qa import _signal_sound_checks as sound_checks
from providers.qa import _signal_source as source
from providers.qa import _signal_sync as sync
from providers.qa import _signal_words as words

_LOOK = {"look_every_seconds": mouth_measure.LOOK_EVERY_SECONDS}
_WINDOWS = {"window_seconds": source.WINDOW_SECONDS, "hop_seconds": source.HOP_SECONDS}
_CURVES = {"curve_rate_hz": sync.CURVE_RATE_HZ, "max_lag_seconds": sync.MAX_LAG_SECONDS}

PARAMETERS: Mapping[str, Mapping[str, float | str]] = {
    "colour": file.COLOURS,
    "black": {"pixel_below": picture.BLACK_PIXEL, "share_of_pixels": picture.BLACK_SHARE},
    "blur": {**_LOOK, "window_px": look.BLUR_WINDOW_PX, "method": "Crete et al. 2007"},
    "levels": {"lowest": look.LOWEST_LEVEL, "highest": look.HIGHEST_LEVEL, "method": "EBU R 103"},
    "face_present": _LOOK,
    "face_steady": {**_LOOK, "voters_each_side": picture_checks.VOTERS},
    "frozen_face": {
        "grey_levels_below": picture.STILL_BELOW,
        "least_seconds": picture.LEAST_STRETCH_SECONDS,
        "edge_of_speech_seconds": picture_checks.EDGE_OF_SPEECH_SECONDS,
    },
    "outside_mouth": {
        "every_seconds": outside.EVERY_SECONDS,
        "percentile": picture_checks.OUTSIDE_PERCENTILE,
        "window_px": outside.WINDOW_PX,
        "method": "SSIM, Wang et al. 2004",
    },
    "seams": {"quick_percentile": picture_checks.QUICK_PERCENTILE, "least_grey_levels": picture_checks.LEAST_CHANGE},
    "silence": {"below_loud_db": sound.SILENT_BELOW_LOUD_DB, "below_dbfs": sound.SILENT_DBFS},
    "clipping": {"level": sound.CLIPPED_LEVEL, "samples_in_a_row": sound.CLIPPED_RUN},
    "loudness": {"method": "EBU R 128, ITU-R BS.1770"},
    "loudness_range": {"least_seconds": sound_checks.LEAST_RANGE_SECONDS, "method": "EBU Tech 3342"},
    "true_peak": {"method": "ITU-R BS.1770"},
    "audio_content": {**_WINDOWS, "same_from": source.SAME_FROM},
    "audio_shift": {**_WINDOWS, "timed_from": source.TIMED_FROM},
    "mouth_as_told": _CURVES,
    "mouth_with_voice": _CURVES,
    "lip_lag": {
        **_CURVES,
        "least_correlation": mouth.LEAST_CORRELATION,
        "least_speech_seconds": mouth.LEAST_SPEECH_SECONDS,
        "rival_from_seconds": sync.RIVAL_FROM_SECONDS,
    },
    "mouth_in_silence": {
        "edge_of_speech_seconds": mouth.EDGE_OF_SPEECH_SECONDS,
        "least_seconds": mouth.LEAST_QUIET_SECONDS,
    },
    "captions": {"characters": captions.LINE_CHARACTERS, "lines": captions.LINES},
    "script_in_sound": {"in_place_seconds": words.IN_PLACE_SECONDS, "least_words": words.LEAST_WORDS},
}
