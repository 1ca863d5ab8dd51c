"""Small pictures that show what a file holds: poster, contact sheet, waveform. Equal files give equal bytes.

``Previews`` rides along with a survey, so that a file is decoded once; the functions below do one preview each.
"""

import contextlib
import io
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from contracts.artifacts import MediaInfo
from contracts.errors import ProviderRejected
from providers._media.audio import read_audio_blocks
from providers._media.bgr import BgrConverter
from providers._media.decode import Tally, decoded_video, video_stream
from providers._media.opening import open_media, sniff
from providers._media.picture_geometry import fitted
from providers._media.sampling import EnvelopeSampler, FrameSampler, SampledFrame
from providers._media.stills import read_picture
from providers._media.survey import Visitors, survey
from providers._media.waveform import Curve, draw_waveform, png

POSTER_LONG_SIDE = 640
_CELL_LONG_SIDE = 240
_CAPTION_HEIGHT = 20
_GAP = 4
_DARK_LEVEL = 16.0
"""Mean 8-bit level below which a frame shows nothing."""

Bgr = npt.NDArray[np.uint8]


class Previews:
    """Collects while a file is surveyed; ask afterwards."""

    def __init__(self, columns: int = 6, rows: int = 3) -> None:
        self._columns = columns
        self._frames = FrameSampler(columns * rows, POSTER_LONG_SIDE)
        self._sound = EnvelopeSampler()
        self.visitors = Visitors(video=self._frames.visit, audio=self._sound.visit)

    def poster(self) -> bytes | None:
        """JPEG; None without a picture."""
        frames = self._frames.frames()
        return jpeg(_telling(frames).bgr) if frames else None

    def contact_sheet(self) -> bytes | None:
        """JPEG; None without a picture."""
        frames = self._frames.frames()
        return jpeg(_sheet(frames, self._columns)) if frames else None

    def waveform(self, curve: Curve | None = None) -> bytes | None:
        """PNG; None without sound."""
        envelope = self._sound.envelope()
        return png(draw_waveform(envelope, curve)) if envelope.duration_seconds > 0 else None


def poster_jpeg(path: Path) -> bytes:
    """One telling frame of a video, or the picture itself; long side up to 640 pixels.

    Raises:
        ProviderRejected: there is no picture in the file.
    """
    if sniff(path) == "picture":
        return picture_poster_jpeg(path)
    glimpse = _glimpse(path)
    if glimpse is not None and glimpse.mean() >= _DARK_LEVEL:
        return jpeg(glimpse)
    return _needed(_video_previews(path, 6, 3).poster(), "a picture or a video")


def picture_poster_jpeg(path: Path) -> bytes:
    """A still picture, long side up to 640 pixels."""
    return jpeg(read_picture(path, max_long_side=POSTER_LONG_SIDE))


def contact_sheet_jpeg(path: Path, columns: int = 6, rows: int = 3) -> bytes:
    """Frames spread over the whole length, each with its time.

    Raises:
        ProviderRejected: there is no video in the file.
    """
    return _needed(_video_previews(path, columns, rows).contact_sheet(), "a video")


def waveform_png(path: Path, curve: Curve | None = None) -> bytes:
    """The sound's envelope on a time axis; ``curve`` (rate_hz, values 0..1) is drawn over it on the same axis.

    Raises:
        ProviderRejected: there is no sound in the file.
    """
    sound = EnvelopeSampler()
    for block in read_audio_blocks(path, sample_rate_hz=16_000, mono=True):
        sound.add(block[0])
    return png(draw_waveform(sound.envelope(), curve))


def jpeg(bgr: Bgr) -> bytes:
    """JPEG bytes of a uint8 (H, W, 3) BGR picture."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(bgr[:, :, ::-1])).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def inspected(path: Path) -> tuple[MediaInfo, Previews]:
    """Facts and previews from one decode."""
    previews = Previews()
    return survey(path, previews.visitors), previews


def _glimpse(path: Path) -> Bgr | None:
    """The frame that can be decoded by itself next before a third of a video; None where none is found by seeking."""
    with open_media(path) as container, contextlib.suppress(av.error.FFmpegError, OSError):
        stream = video_stream(container)
        if stream is not None and container.duration:
            container.seek(container.duration // 3)
            frame = next(decoded_video(container, stream, tally=Tally()), None)
            return None if frame is None else BgrConverter(stream, POSTER_LONG_SIDE)(frame)
    return None


def _video_previews(path: Path, columns: int, rows: int) -> Previews:
    previews = Previews(columns, rows)
    survey(path, Visitors(video=previews.visitors.video))
    return previews


def _needed(preview: bytes | None, expected: str) -> bytes:
    if preview is None:
        raise ProviderRejected(f"expected {expected}, got a file without one")
    return preview


def _telling(frames: list[SampledFrame]) -> SampledFrame:
    """The frame a third into the video, or the brightest when that one is dark."""
    middle = frames[len(frames) // 3]
    if middle.bgr.mean() >= _DARK_LEVEL:
        return middle
    return max(frames, key=lambda frame: (float(frame.bgr.mean()), -frame.time_seconds))


def _sheet(frames: list[SampledFrame], columns: int) -> Bgr:
    """uint8 (H, W, 3), BGR: cells left to right, top to bottom."""
    cells = [fitted(frame.bgr, _CELL_LONG_SIDE) for frame in frames]
    height, width = cells[0].shape[:2]
    step_x, step_y = width + _GAP, height + _CAPTION_HEIGHT + _GAP
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (_GAP + columns * step_x, _GAP + rows * step_y), "#181a1f")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for place, (frame, cell) in enumerate(zip(frames, cells, strict=True)):
        x, y = _GAP + place % columns * step_x, _GAP + place // columns * step_y
        sheet.paste(Image.fromarray(np.ascontiguousarray(cell[:, :, ::-1])), (x, y))
        draw.text((x + 3, y + height + 2), time_label(frame.time_seconds), fill="#d7dae0", font=font)
    return np.ascontiguousarray(np.asarray(sheet)[:, :, ::-1])


def time_label(seconds: float) -> str:
    """``0:03.24``, ``1:02:03.24``."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
