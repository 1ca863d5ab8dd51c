"""Loudness and true peak by EBU R128 (ITU-R BS.1770), from files or from blocks. Not here: changing them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as NothingMore
from av.filter import Graph

from providers._media.audio import read_audio_blocks

METER_RATE_HZ = 48_000
GATE_LUFS = -70.0  # absolute gate of BS.1770-4: the filter reports it when nothing is above it
METER_STEP_SECONDS = 0.1  # the filter speaks once per 100 ms, and only when they are full


@dataclass(frozen=True)
class Loudness:
    """What a programme measures. ``None`` where there is nothing to measure: silence, or under 0.4 s."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None
    range_lu: float | None = None
    sample_count: int = 0
    """Samples per channel that were measured, at ``METER_RATE_HZ``."""


class LoudnessMeter:
    """Feed it float32 blocks of shape (channels, samples) at 48 kHz, mono or stereo; ask once at the end."""

    def __init__(self, channels: int) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._channels = channels
        self._graph = _ebur128_graph(self._layout)
        self._facts: dict[str, str] = {}
        self._sample_count = 0

    def add(self, block: npt.NDArray[np.float32]) -> None:
        if block.shape[1] == 0:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
        frame.sample_rate = METER_RATE_HZ
        frame.time_base = Fraction(1, METER_RATE_HZ)
        frame.pts = self._sample_count
        self._sample_count += block.shape[1]
        self._graph.push(frame)
        self._drain()

    def result(self) -> Loudness:
        sample_count = self._sample_count
        self.add(self._silence_to_full_step())
        self._graph.push(None)
        self._drain()
        integrated = float(self._facts.get("lavfi.r128.I", GATE_LUFS))
        peak = float(self._facts.get("lavfi.r128.true_peak", 0.0))
        is_measured = math.isfinite(integrated) and integrated > GATE_LUFS
        return Loudness(
            integrated_lufs=integrated if is_measured else None,
            true_peak_dbtp=20 * math.log10(peak) if peak > 0 else None,
            range_lu=float(self._facts["lavfi.r128.LRA"]) if is_measured else None,
            sample_count=sample_count,
        )

    def _silence_to_full_step(self) -> npt.NDArray[np.float32]:
        """Without it the peaks of the last, incomplete 100 ms would go unseen."""
        step = int(METER_RATE_HZ * METER_STEP_SECONDS)
        return np.zeros((self._channels, -self._sample_count % step), np.float32)

    def _drain(self) -> None:
        while True:
            try:
                frame = self._graph.pull()
            except (NothingYet, NothingMore):
                return
            self._facts = dict(frame.metadata)


def measure(path: Path) -> Loudness:
    """Measure a whole file, streaming; more than two channels are measured as their stereo mix.

    Raises:
        ProviderRejected: it cannot be opened, or has no audio.
    """
    return measure_blocks(read_audio_blocks(path, sample_rate_hz=METER_RATE_HZ))


def measure_blocks(blocks: Iterable[npt.NDArray[np.float32]]) -> Loudness:
    """Measure blocks as ``LoudnessMeter`` takes them."""
    meter: LoudnessMeter | None = None
    for block in blocks:
        meter = meter or LoudnessMeter(block.shape[0])
        meter.add(block)
    return meter.result() if meter else Loudness(None, None)


def _ebur128_graph(layout: str) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=METER_RATE_HZ, format="fltp", layout=layout, time_base=Fraction(1, METER_RATE_HZ)
    )
    meter = graph.add("ebur128", "peak=true:metadata=1")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
