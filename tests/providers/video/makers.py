"""Small media with known content, and readers of what came out."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from providers._media.audio import read_audio
from providers._media.frames import read_frames

IDENTITY = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
QUARTER_TURN = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")


def make_video(
    path: Path,
    *,
    size: tuple[int, int] = (64, 48),
    fps: Fraction | int = 25,
    count: int = 50,
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    flash_at: int | None = None,
    times: Iterable[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A grey ramp that brightens from left to right and with time; white at frame ``flash_at``.

    ``times`` are ticks of 1/1000 s for a variable rate.
    """
    width, height = size
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=fps, options={"preset": "ultrafast", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times if times is not None else range(count)):
            frame = av.VideoFrame.from_ndarray(ramp(size, number, number == flash_at), format="bgr24")
            frame.pts = time
            frame.time_base = Fraction(1, 1000) if times is not None else 1 / Fraction(fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def ramp(size: tuple[int, int], number: int, is_flash: bool = False) -> npt.NDArray[np.uint8]:
    width, height = size
    row = np.linspace(20, 120, width) + min(number, 100)
    picture = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2).astype(np.uint8)
    return np.full_like(picture, 255) if is_flash else picture


def turned(path: Path) -> Path:
    """Mark an MP4's video to be shown turned by a quarter, as phones do."""
    data = path.read_bytes()
    assert data.count(IDENTITY) == 2  # of the movie header and of the one track
    path.write_bytes(data[: (at := data.rindex(IDENTITY))] + QUARTER_TURN + data[at + len(IDENTITY) :])
    return path


def make_sound(path: Path, samples: npt.NDArray[np.float32], rate_hz: int = 48_000, layout: str = "") -> Path:
    """float32 WAV or, by the ending, FLAC in 16 bits, of shape (channels, n)."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[0]]
    codec, sample_format = ("flac", "s16") if path.suffix == ".flac" else ("pcm_f32le", "flt")
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(sample_format, layout, rate_hz)
        for start in range(0, samples.shape[1], 4096):
            block = np.ascontiguousarray(samples[:, start : start + 4096], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
            for piece in resampler.resample(frame):
                output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return path


def speechlike(seconds: float, rate_hz: int = 48_000, level: float = 0.1) -> npt.NDArray[np.float32]:
    """Noise in syllables, 4 a second, with a pause at every second: float32 (n,)."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(7).standard_normal(time.size)
    smooth = np.convolve(noise, np.hanning(9) / np.hanning(9).sum(), "same")
    return (level * smooth * np.sin(2 * np.pi * 2 * time) ** 2 * (time % 1 > 0.2)).astype(np.float32)


def lag_seconds(source: Path, delivered: Path) -> float:
    """How late the delivered sound is, by cross-correlation at 16 kHz."""
    first, second = read_audio(source), read_audio(delivered)
    size = 1 << (first.size + second.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    at = int(product.argmax())
    return (at if at < size // 2 else at - size) / 16_000


def brightness(path: Path) -> npt.NDArray[np.float64]:
    """Mean of every decoded frame."""
    return np.array([frame.bgr.mean() for frame in read_frames(path)])
