"""What a sound track is like over time, in small arrays: taken block by block, so that length does not matter."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Span
from providers._media.sound_on_disk import SoundOnDisk

Signal = npt.NDArray[np.float32]

LISTEN_RATE_HZ = 16_000
LOW_RATE_HZ = 4_000  # enough to tell one recording from another, and to place it within a quarter of a millisecond
LEVEL_RATE_HZ = 20.0
ENVELOPE_RATE_HZ = 100.0
STEP = 800  # samples: one level, five envelope values
SPEECH_BAND_HZ = (150, 4_000)
ENVELOPE_RANGE_DB = 35.0
QUIET_DB = -100.0
SILENT_BELOW_LOUD_DB, SILENT_DBFS = 45.0, -65.0
ACTIVE_BELOW_LOUD_DB, ACTIVE_DBFS = 30.0, -60.0
CLIPPED_LEVEL, CLIPPED_RUN = 0.999, 3  # three samples in a row at full scale are no longer a waveform's own peak


@dataclass(frozen=True)
class Sound:
    """``low`` at LOW_RATE_HZ, ``level_db`` dBFS at LEVEL_RATE_HZ, ``speech_db`` at ENVELOPE_RATE_HZ."""

    low: SoundOnDisk
    level_db: Signal
    speech_db: Signal
    duration_seconds: float

    @property
    def loud_db(self) -> float:
        return float(np.percentile(self.level_db, 95)) if self.level_db.size else QUIET_DB

    @property
    def is_silent(self) -> npt.NDArray[np.bool_]:
        return (self.level_db < self.loud_db - SILENT_BELOW_LOUD_DB) | (self.level_db < SILENT_DBFS)

    @property
    def is_active(self) -> npt.NDArray[np.bool_]:
        """Somebody speaks, or something else is clearly heard."""
        return (self.level_db > self.loud_db - ACTIVE_BELOW_LOUD_DB) & (self.level_db > ACTIVE_DBFS)

    def envelope(self) -> Signal:
        """0..1 at ENVELOPE_RATE_HZ: the speech band's loudness, over the 35 dB below its loud parts."""
        if not self.speech_db.size:
            return self.speech_db
        loud = float(np.percentile(self.speech_db, 95))
        return np.clip((self.speech_db - loud) / ENVELOPE_RANGE_DB + 1, 0, 1).astype(np.float32)


def listen(blocks: Iterable[Signal]) -> Sound:
    """Take blocks of float32 (1, samples) in [-1, 1] at LISTEN_RATE_HZ, in order."""
    listener = Listener()
    for block in blocks:
        listener.add(block[0])
    return listener.finish()


class Listener:
    """Takes mono samples at LISTEN_RATE_HZ as they come."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._low = SoundOnDisk()
        self._levels, self._powers = array("f"), array("f")
        self._sample_count = 0

    def add(self, samples: Signal) -> None:
        self._sample_count += samples.size
        joined = np.concatenate([self._rest, samples])
        whole = joined.size // STEP * STEP
        self._rest = joined[whole:]
        self._measure(joined[:whole])

    def finish(self) -> Sound:
        if self._rest.size:
            self._measure(np.pad(self._rest, (0, STEP - self._rest.size)))
        power = np.convolve(_floats(self._powers), _SMOOTHING, "same") if self._powers else np.zeros(0)
        duration_seconds = self._sample_count / LISTEN_RATE_HZ
        return Sound(self._low, _floats(self._levels), _decibels(power), duration_seconds)

    def _measure(self, steps: Signal) -> None:
        """``steps``: a whole number of STEPs."""
        if not steps.size:
            return
        self._low.append(steps.reshape(-1, LISTEN_RATE_HZ // LOW_RATE_HZ).mean(axis=1))
        self._levels.frombytes(_decibels((steps.reshape(-1, STEP) ** 2).mean(axis=1)).tobytes())
        windows = steps.reshape(-1, _ENVELOPE_HOP) * _WINDOW
        powers = (np.abs(np.fft.rfft(windows, axis=1)[:, _IN_BAND]) ** 2).mean(axis=1)
        self._powers.frombytes(powers.astype(np.float32).tobytes())


class ClippedPlaces:
    """Every run of at least CLIPPED_RUN samples at full scale, in any channel.

    Takes blocks of float32 (channels, samples), in order, at the file's own rate: resampling would round clipped tops.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._starts: list[int] = []
        self._offset = 0
        self._tail: Signal | None = None

    def add(self, block: Signal) -> None:
        tail = self._tail
        joined = block if tail is None else np.concatenate([tail, block], axis=1)
        first = self._offset - (0 if tail is None else tail.shape[1])
        if float(np.abs(joined).max(initial=0.0)) >= CLIPPED_LEVEL and joined.shape[1] >= CLIPPED_RUN:
            full = np.abs(joined) >= CLIPPED_LEVEL
            runs = np.lib.stride_tricks.sliding_window_view(full, CLIPPED_RUN, axis=1).all(axis=2).any(axis=0)
            self._starts.extend((np.flatnonzero(runs) + first).tolist())
        self._offset += block.shape[1]
        self._tail = joined[:, -(CLIPPED_RUN - 1) :]

    def spans(self) -> tuple[Span, ...]:
        return tuple(_merged_runs(self._starts, self._sample_rate_hz))


def true_spans(flags: npt.NDArray[np.bool_], rate_hz: float) -> tuple[Span, ...]:
    """The stretches where ``flags`` holds, each flag standing for ``1 / rate_hz`` seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return tuple(
        Span(start_seconds=float(start) / rate_hz, end_seconds_exclusive=float(end) / rate_hz)
        for start, end in edges.reshape(-1, 2)
    )


def _merged_runs(starts: list[int], sample_rate_hz: int) -> Iterator[Span]:
    """Neighbouring sample positions become one span."""
    places = np.array(starts, np.int64)
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if starts else ():
        yield Span(
            start_seconds=int(run[0]) / sample_rate_hz,
            end_seconds_exclusive=(int(run[-1]) + CLIPPED_RUN) / sample_rate_hz,
        )


def _floats(values: "array[float]") -> Signal:
    return np.array(values, np.float32)


def _decibels(power: npt.NDArray[np.floating]) -> Signal:
    return (10 * np.log10(np.maximum(power, 10 ** (QUIET_DB / 10)))).astype(np.float32)


def _speech_bins() -> npt.NDArray[np.bool_]:
    low_hz, high_hz = SPEECH_BAND_HZ
    frequencies_hz = np.fft.rfftfreq(_ENVELOPE_HOP, 1 / LISTEN_RATE_HZ)
    return (frequencies_hz >= low_hz) & (frequencies_hz <= high_hz)


_ENVELOPE_HOP = round(LISTEN_RATE_HZ / ENVELOPE_RATE_HZ)
_WINDOW = np.hanning(_ENVELOPE_HOP).astype(np.float32)
_IN_BAND = _speech_bins()
_SMOOTHING = np.array([0.1, 0.25, 0.3, 0.25, 0.1], np.float32)
