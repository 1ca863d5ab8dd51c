"""Where somebody speaks, and how to cut long audio into pieces at pauses. Not here: what is said."""

import numpy as np
from pocketsphinx import Endpointer

from contracts.artifacts import Span
from providers._media.sound_on_disk import AnySound
from providers._speech.decoding import SAMPLE_RATE_HZ, listening_gain, pcm16

_MERGE_GAP_SECONDS = 0.2
_MARGIN_SECONDS = 0.2
_QUIET_WINDOW_SECONDS = 0.1


def speech_spans(samples: AnySound) -> tuple[Span, ...]:
    """Stretches with a voice in them, in order, apart from each other; none in silence.

    Args:
        samples: float32 in [-1, 1], 16 kHz mono, shape (n,).
    """
    if samples.size == 0:
        return ()
    duration = samples.size / SAMPLE_RATE_HZ
    merged: list[tuple[float, float]] = []
    for start, end in _endpoints(samples, listening_gain(samples)):
        start, end = max(0.0, start), min(end, duration)
        if merged and start - merged[-1][1] < _MERGE_GAP_SECONDS:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return tuple(Span(start_seconds=round(a, 3), end_seconds_exclusive=round(b, 3)) for a, b in merged)


def _endpoints(samples: AnySound, gain: float) -> list[tuple[float, float]]:
    endpointer = Endpointer(sample_rate=SAMPLE_RATE_HZ)
    found: list[tuple[float, float]] = []
    step = endpointer.frame_bytes // 2
    last = (samples.size - 1) // step * step
    for offset in range(0, samples.size, step):
        frame = pcm16(samples[offset : offset + step] * np.float32(gain))
        if offset == last:
            ended = endpointer.in_speech and endpointer.end_stream(frame) is not None
        else:
            ended = endpointer.process(frame) is not None and not endpointer.in_speech
        if ended:
            found.append((endpointer.speech_start, endpointer.speech_end))
    return found


def speech_pieces(samples: AnySound, spans: tuple[Span, ...], *, max_seconds: float = 30.0) -> tuple[Span, ...]:
    """Pieces of at most ``max_seconds`` that hold all speech with a little room, cut at pauses."""
    duration = samples.size / SAMPLE_RATE_HZ
    pieces: list[tuple[float, float]] = []
    for span in spans:
        start = max(0.0, span.start_seconds - _MARGIN_SECONDS)
        end = min(duration, span.end_seconds_exclusive + _MARGIN_SECONDS)
        if pieces:
            start = max(start, pieces[-1][1])
            if end - pieces[-1][0] <= max_seconds:
                start = pieces.pop()[0]
        while end - start > max_seconds:
            cut = quietest(samples, start + 0.5 * max_seconds, start + max_seconds)
            pieces.append((start, cut))
            start = cut
        if end > start:
            pieces.append((start, end))
    return tuple(Span(start_seconds=a, end_seconds_exclusive=b) for a, b in pieces)


def quietest(samples: AnySound, from_seconds: float, to_seconds: float) -> float:
    """The middle of the least loud tenth of a second between two times, in seconds."""
    window = int(_QUIET_WINDOW_SECONDS * SAMPLE_RATE_HZ)
    first = int(from_seconds * SAMPLE_RATE_HZ)
    part = samples[first : int(to_seconds * SAMPLE_RATE_HZ)].astype(np.float64)
    count = part.size // window
    if count == 0:
        return from_seconds
    energy = np.square(part[: count * window]).reshape(count, window).mean(axis=1)
    return (first + (int(energy.argmin()) + 0.5) * window) / SAMPLE_RATE_HZ
