"""The delivered sound: 48 kHz AAC at the target loudness, under the true-peak limit *after* the encoder.

Measure the source, apply one gain and the limiter, encode, measure what was encoded, correct, encode again.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags

from contracts.errors import ProviderRejected
from contracts.production import DeliveryProfile
from providers._media.audio import read_audio_blocks
from providers._media.loudness import Loudness, measure, measure_blocks
from providers.video._limiter import limit_true_peak

SAMPLE_RATE_HZ = 48_000
SILENCE_LUFS = -60.0  # below it there is nothing to bring out but noise
AIM_LU = 0.3  # stop correcting when this near; delivered is within TOLERANCE_LU where it can be
TOLERANCE_LU = 0.5  # EBU R128, programme level
ENCODER_MARGIN_DB = 0.3  # AAC overshoots; a first ceiling this far below the limit mostly spares a second encoding
MAX_PASSES = 8

Samples = npt.NDArray[np.float32]
Blocks = Iterable[Samples]
Progress = Callable[[float, str], None]
"""Called with a share 0..1 and what is being done."""


@dataclass(frozen=True)
class Sound:
    """An MP4 file with one AAC stream, and what it measures once decoded."""

    path: Path
    sample_count: int
    loudness: Loudness
    notes: tuple[str, ...] = ()

    @property
    def duration_seconds(self) -> float:
        """Of the source, to the sample."""
        return self.sample_count / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class _Setting:
    gain_db: float
    ceiling_dbtp: float


@dataclass(frozen=True)
class LoudnessLimits:
    """How far the sound may be changed to reach the target."""

    max_gain_db: float = 30.0
    max_limiting_db: float = 12.0


def encode_as_it_is(source: Path, target: Path, profile: DeliveryProfile) -> Sound:
    """Encode without touching the level."""
    sample_count = _encode(_read(source), target, profile.audio_bit_rate_bps)
    _require_samples(sample_count)
    return Sound(target, sample_count, measure(target))


def encode_to_loudness(
    source: Path, target: Path, profile: DeliveryProfile, limits: LoudnessLimits, progress: Progress
) -> Sound:
    """Encode at the profile's loudness; silence is not amplified.

    Raises:
        ProviderRejected: there is no audio in ``source``, or it cannot be decoded.
    """
    progress(0.0, "measuring the sound")
    before = measure_blocks(_read(source))
    _require_samples(before.sample_count)
    highest_gain_db = _highest_gain_db(before, profile, limits)
    setting = _first_setting(before, profile, highest_gain_db)
    trials: list[_Trial] = []
    for attempt in range(MAX_PASSES):
        progress((1 + attempt) / (2 + MAX_PASSES), "encoding the sound")
        trials.append(_try(source, target, setting, profile))
        if trials[-1].will_do or setting == (setting := trials[-1].corrected(highest_gain_db)):
            break
    best = min(trials, key=lambda trial: (max(trial.excess_db, 0), abs(trial.missing_lu)))
    if best is not trials[-1]:
        _try(source, target, best.setting, profile)
    return Sound(target, before.sample_count, best.delivered, _level_notes(before, best, profile, limits))


@dataclass(frozen=True)
class _Trial:
    """One encoding: what was set, what came out."""

    setting: _Setting
    delivered: Loudness
    profile: DeliveryProfile

    @property
    def excess_db(self) -> float:
        """True peak over the limit; negative below it."""
        peak_dbtp = self.delivered.true_peak_dbtp
        return -math.inf if peak_dbtp is None else peak_dbtp - self.profile.true_peak_dbtp

    @property
    def missing_lu(self) -> float:
        """Loudness that lacks; 0 where there is nothing to level."""
        found_lufs = self.delivered.integrated_lufs
        return 0.0 if found_lufs is None else self.profile.loudness_lufs - found_lufs

    @property
    def will_do(self) -> bool:
        return self.excess_db <= 0 and abs(self.missing_lu) <= AIM_LU

    def corrected(self, highest_gain_db: float) -> _Setting:
        """The next setting to try: each level moved by what it was off, within what is allowed."""
        first_ceiling_dbtp = self.profile.true_peak_dbtp - ENCODER_MARGIN_DB
        ceiling_dbtp = self.setting.ceiling_dbtp - max(self.excess_db + 0.05, -1.0)
        gain_db = self.setting.gain_db + self.missing_lu
        return _Setting(min(gain_db, highest_gain_db), min(ceiling_dbtp, first_ceiling_dbtp))


def _try(source: Path, target: Path, setting: _Setting, profile: DeliveryProfile) -> _Trial:
    _encode(_levelled(_read(source), setting), target, profile.audio_bit_rate_bps)
    return _Trial(setting, measure(target), profile)


def _is_silent(before: Loudness) -> bool:
    return before.integrated_lufs is None or before.integrated_lufs < SILENCE_LUFS


def _first_setting(before: Loudness, profile: DeliveryProfile, highest_gain_db: float) -> _Setting:
    wanted_db = profile.loudness_lufs - (before.integrated_lufs or 0.0)
    return _Setting(min(wanted_db, highest_gain_db), profile.true_peak_dbtp - ENCODER_MARGIN_DB)


def _highest_gain_db(before: Loudness, profile: DeliveryProfile, limits: LoudnessLimits) -> float:
    """Where noise would be brought out, or the limiter would press the highest peak by ``max_limiting_db``."""
    if _is_silent(before) or before.true_peak_dbtp is None:
        return 0.0
    return min(limits.max_gain_db, profile.true_peak_dbtp - before.true_peak_dbtp + limits.max_limiting_db)


def _level_notes(before: Loudness, best: _Trial, profile: DeliveryProfile, limits: LoudnessLimits) -> tuple[str, ...]:
    """What a person should know about the level that was not reached."""
    if before.integrated_lufs is None:
        return ("The audio is silent or too short to have a loudness; its level was left as it is.",)
    if _is_silent(before):
        return (f"The audio is almost silent ({before.integrated_lufs:.1f} LUFS); its level was left as it is.",)
    if abs(best.missing_lu) <= TOLERANCE_LU:
        return ()
    if best.setting.gain_db >= limits.max_gain_db:
        reason = f"it was recorded at {before.integrated_lufs:.1f} LUFS, and more than {limits.max_gain_db:.0f} dB of "
        reason += "gain would bring out noise"
    else:
        reason = f"more gain would press its peaks too hard against the limit of {profile.true_peak_dbtp:.1f} dBTP"
    found_lufs = profile.loudness_lufs - best.missing_lu
    return (f"Loudness is {found_lufs:.1f} LUFS, expected {profile.loudness_lufs:.1f}: {reason}.",)


def _read(source: Path) -> Iterator[Samples]:
    for block in read_audio_blocks(source, sample_rate_hz=SAMPLE_RATE_HZ):
        yield np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)


def _levelled(blocks: Blocks, setting: _Setting) -> Iterator[Samples]:
    gain = 10 ** (setting.gain_db / 20)
    louder = (block * np.float32(gain) for block in blocks)
    return limit_true_peak(louder, ceiling=10 ** (setting.ceiling_dbtp / 20))


def _encode(blocks: Blocks, target: Path, bit_rate_bps: int) -> int:
    """Encode to AAC in MP4; return the samples per channel. The encoder's priming is hidden by an edit list."""
    sample_count = 0
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(target), "w", format="mp4", options=options) as output:
        stream: av.AudioStream | None = None
        for block in blocks:
            layout = "mono" if block.shape[0] == 1 else "stereo"
            if stream is None:
                stream = output.add_stream("aac", rate=SAMPLE_RATE_HZ, layout=layout, bit_rate=bit_rate_bps)
                stream.codec_context.flags |= int(Flags.bitexact)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
            frame.pts = sample_count
            sample_count += block.shape[1]
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
    return sample_count


def _require_samples(sample_count: int) -> None:
    if sample_count == 0:
        raise ProviderRejected(
            "expected audio that can be heard, got a file without a single sample; record or export it again"
        )
