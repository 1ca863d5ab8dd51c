"""Draws a sound's envelope, and a curve over it, on one time axis."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from contracts.media import WAVEFORM_END_X, WAVEFORM_HEIGHT, WAVEFORM_START_X, WAVEFORM_WIDTH
from providers._media.sampling import Envelope

Curve = tuple[float, npt.ArrayLike]
"""(rate_hz, values in 0..1); the first value stands at 0 s."""

_TOP, _BOTTOM = 10, 32
_SMOOTHING = 2
"""Drawn this much larger, then scaled down: edges come out soft."""
_TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MIN_TICK_PIXELS = 70
_FULL_LEVEL = 0.05
"""The loudest sample fills the height, but noise below this level is not blown up."""
_PAPER, _AXIS, _SOUND, _CURVE, _TEXT = "#ffffff", "#c9ced6", "#4a6fa5", "#e07a2f", "#4b5563"


def draw_waveform(envelope: Envelope, curve: Curve | None = None) -> Image.Image:
    """An RGB picture, 1200x220."""
    scale = _SMOOTHING
    large = Image.new("RGB", (WAVEFORM_WIDTH * scale, WAVEFORM_HEIGHT * scale), _PAPER)
    draw = ImageDraw.Draw(large)
    plot = _Plot(envelope.duration_seconds, scale)
    for seconds in _ticks(envelope.duration_seconds):
        draw.line([(plot.x(seconds), plot.top), (plot.x(seconds), plot.bottom)], fill=_AXIS, width=scale)
    _draw_sound(draw, plot, envelope)
    if curve is not None:
        _draw_curve(draw, plot, curve)
    small = large.resize((WAVEFORM_WIDTH, WAVEFORM_HEIGHT), Image.Resampling.BOX)
    _draw_labels(small, _Plot(envelope.duration_seconds, 1), with_curve=curve is not None)
    return small


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


class _Plot:
    """Seconds and levels to pixels."""

    def __init__(self, duration_seconds: float, scale: int) -> None:
        self.left, self.right = WAVEFORM_START_X * scale, WAVEFORM_END_X * scale
        self.top, self.bottom = _TOP * scale, (WAVEFORM_HEIGHT - _BOTTOM) * scale
        self.scale = scale
        self.duration_seconds = duration_seconds

    def x(self, seconds: float) -> float:
        return self.left + (self.right - self.left) * seconds / self.duration_seconds

    def y(self, share: float) -> float:
        """0 at the bottom, 1 at the top."""
        return self.bottom - (self.bottom - self.top) * share


def _draw_sound(draw: ImageDraw.ImageDraw, plot: _Plot, envelope: Envelope) -> None:
    columns = plot.right - plot.left
    edges = np.linspace(0, len(envelope.low), columns + 1)
    starts = np.minimum(edges[:-1].astype(int), len(envelope.low) - 1)
    gain = 1 / max(_FULL_LEVEL, float(np.abs(envelope.low).max()), float(np.abs(envelope.high).max()))
    lows = np.minimum.reduceat(envelope.low, starts) * gain
    highs = np.maximum.reduceat(envelope.high, starts) * gain
    for column, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        x = plot.left + column
        draw.line([(x, plot.y(0.5 + low / 2)), (x, plot.y(0.5 + high / 2))], fill=_SOUND, width=1)


def _draw_curve(draw: ImageDraw.ImageDraw, plot: _Plot, curve: Curve) -> None:
    rate_hz, values = curve
    levels = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0.0, 1.0)
    times = np.arange(len(levels)) / rate_hz
    inside = times <= plot.duration_seconds
    points = [(plot.x(t), plot.y(v)) for t, v in zip(times[inside].tolist(), levels[inside].tolist(), strict=True)]
    if len(points) > 1:
        draw.line(points, fill=_CURVE, width=2 * plot.scale, joint="curve")


def _draw_labels(image: Image.Image, plot: _Plot, *, with_curve: bool) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=17)
    for seconds in _ticks(plot.duration_seconds):
        label = _label(seconds)
        half = font.getlength(label) / 2
        x = min(max(plot.x(seconds), half + 2), image.width - half - 2)  # the first and the last are whole
        draw.text((x, plot.bottom + 5), label, fill=_TEXT, font=font, anchor="ma")
    if with_curve:
        draw.text((plot.right - 4, plot.top), "mouth opening", fill=_CURVE, font=font, anchor="ra")


def _ticks(duration_seconds: float) -> list[float]:
    width = WAVEFORM_END_X - WAVEFORM_START_X
    wide = (step for step in _TICK_SECONDS if width * step / duration_seconds >= _MIN_TICK_PIXELS)
    step = next(wide, duration_seconds)
    return [step * place for place in range(int(duration_seconds / step) + 1)]


def _label(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{int(rest):02d}" if minutes or seconds == 0 or seconds >= 60 else f"{seconds:g} s"
