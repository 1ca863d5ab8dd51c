"""Makers of small real media for tests: every file is encoded and muxed for true, nothing is faked.

Every frame of ``make_video`` shows where up is (four coloured corners) and which frame it is (a row of binary blocks):
``corner_colours`` and ``frame_number`` read them back from a decoded picture.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.stream import Disposition
from av.video.frame import VideoFrame

Bgr = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

CORNERS = {"top_left": "red", "top_right": "green", "bottom_left": "blue", "bottom_right": "white"}
_BGR = {"red": (40, 40, 220), "green": (40, 200, 40), "blue": (220, 60, 40), "white": (235, 235, 235)}
_BLOCKS = 10
_TIME_BASE = Fraction(1, 90_000)
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_CODECS = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame", ".m4a": "aac", ".ogg": "libopus"}


def numbered_picture(width: int, height: int, number: int = 0) -> Bgr:
    """Four coloured corners and ``number`` as ten binary blocks in the middle, most significant first."""
    picture = np.zeros((height, width, 3), np.uint8)
    middle_x, middle_y = width // 2, height // 2
    for rows, columns, name in (
        (slice(0, middle_y), slice(0, middle_x), "red"),
        (slice(0, middle_y), slice(middle_x, None), "green"),
        (slice(middle_y, None), slice(0, middle_x), "blue"),
        (slice(middle_y, None), slice(middle_x, None), "white"),
    ):
        picture[rows, columns] = _BGR[name]
    edges = np.linspace(0, width, _BLOCKS + 1).round().astype(int)
    for place in range(_BLOCKS):
        level = 255 if number >> (_BLOCKS - 1 - place) & 1 else 0
        picture[height * 3 // 8 : height * 5 // 8, edges[place] : edges[place + 1]] = level
    return picture


def frame_number(bgr: Bgr) -> int:
    """The number that ``numbered_picture`` drew."""
    height, width = bgr.shape[:2]
    row = bgr[height * 7 // 16 : height * 9 // 16].mean(axis=(0, 2))
    middles = ((np.arange(_BLOCKS) + 0.5) * width / _BLOCKS).astype(int)
    return int("".join("1" if row[middle] > 127 else "0" for middle in middles), 2)


def corner_colours(bgr: Bgr) -> dict[str, str]:
    """Which of the four colours stands in each corner of a decoded picture."""
    height, width = bgr.shape[:2]
    places = {
        "top_left": bgr[height // 8, width // 8],
        "top_right": bgr[height // 8, width * 7 // 8],
        "bottom_left": bgr[height * 7 // 8, width // 8],
        "bottom_right": bgr[height * 7 // 8, width * 7 // 8],
    }
    return {place: _nearest_colour(value) for place, value in places.items()}


def tone(
    seconds: float, sample_rate_hz: int, channels: int = 1, frequency_hz: float = 440, level: float = 0.5
) -> Samples:
    """A sine, float32 (channels, n); channel ``c`` sounds ``c`` octaves higher."""
    times = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    rows = [level * np.sin(2 * np.pi * frequency_hz * 2**channel * times) for channel in range(channels)]
    return np.asarray(rows, np.float32)


def make_tone(
    path: Path, *, seconds: float = 1.0, sample_rate_hz: int = 48_000, channels: int = 1, frequency_hz: float = 440
) -> Path:
    """A sound file; the ending chooses the codec."""
    return make_sound(path, tone(seconds, sample_rate_hz, channels, frequency_hz), sample_rate_hz)


def make_sound(path: Path, samples: Samples, sample_rate_hz: int, *, codec: str | None = None) -> Path:
    """``samples`` float32 (channels, n) as a sound file; the ending chooses the codec unless ``codec`` does."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec or _CODECS[path.suffix], rate=sample_rate_hz, layout=_LAYOUTS[len(samples)])
        for frame in _sound_frames(samples, sample_rate_hz):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_song_with_cover(path: Path, *, seconds: float = 0.5) -> Path:
    """An .mp3 or .mp4 whose sound carries a cover picture, as a video stream that is none."""
    jpeg = cv2.imencode(".jpg", numbered_picture(64, 64))[1].tobytes()
    with av.open(str(path), "w") as container:
        sound = container.add_stream(_CODECS.get(path.suffix, "aac"), rate=48_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.start_encoding()
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        container.mux(packet)
        for frame in _sound_frames(tone(seconds, 48_000), 48_000):
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def make_video(
    path: Path,
    *,
    seconds: float = 1.0,
    fps: float = 25,
    width: int = 160,
    height: int = 120,
    pictures: Iterable[Bgr] | None = None,
    times_seconds: Sequence[float] | None = None,
    start_seconds: float = 0.0,
    rotation_degrees: int = 0,
    mirrored: bool = False,
    pixel_aspect: Fraction | None = None,
    interlaced: bool = False,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    audio: Samples | None = None,
    audio_rate_hz: int = 48_000,
    audio_start_seconds: float = 0.0,
    audio_codec: str = "aac",
    faststart: bool = True,
    crf: int = 18,
    colours: dict[str, int] | None = None,
) -> Path:
    """A video of numbered test pictures, or of ``pictures``.

    Args:
        times_seconds: presentation time of each frame, for a variable rate; overrides ``seconds`` and ``fps``.
        rotation_degrees, mirrored: the pictures are coded turned back and mirrored, and the file tells players to
            turn them clockwise and flip them; what a viewer sees stays the same.
        pixel_aspect: width of a pixel over its height; the coded size stays ``width`` x ``height``.
        audio: float32 (channels, n), see ``tone``.
        colours: tags by the names of the codec context (colorspace, color_range, color_primaries, color_trc).
    """
    times = times_seconds if times_seconds is not None else [n / fps for n in range(round(seconds * fps))]
    shown = (
        pictures if pictures is not None else (numbered_picture(width, height, number) for number in range(len(times)))
    )
    shown = (_turned_back(picture, rotation_degrees, mirrored=mirrored) for picture in shown)
    muxing = {"movflags": "+faststart"} if faststart and path.suffix in {".mp4", ".mov"} else {}
    with av.open(str(path), "w", options=muxing) as container:
        options = {"crf": str(crf), "preset": "ultrafast"} if codec.startswith("libx26") else {"crf": "20", "b": "0"}
        if codec == "libx265":
            options["x265-params"] = "log-level=none:bframes=0"  # with them it mistimes clips of a few frames
        if interlaced:
            options["x264-params"] = "tff=1:interlaced=1"
        video = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        video.pix_fmt = pixel_format
        video.codec_context.time_base = video.time_base = _TIME_BASE
        if rotation_degrees or mirrored:
            video.set_display_rotation(-rotation_degrees, hflip=mirrored)
        for name, value in (colours or {}).items():
            setattr(video.codec_context, name, value)
        sound = None
        if audio is not None:
            sound = container.add_stream(audio_codec, rate=audio_rate_hz, layout=_LAYOUTS[len(audio)])
        packets = _video_packets(video, shown, times, start_seconds, pixel_aspect)
        for packet in packets:
            container.mux(packet)
        if sound is not None and audio is not None:
            for frame in _sound_frames(audio, audio_rate_hz, audio_start_seconds):
                container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def make_moving_portrait(
    path: Path, picture: Path, *, frame_count: int = 25, fps: float = 25, size: int = 320, audio: Samples | None = None
) -> Path:
    """The person of a still picture, slowly panned, zoomed and tilted: a video with a face that never stands still."""
    still = cv2.imread(str(picture))
    height, width = still.shape[:2]

    def moved(number: int) -> Bgr:
        phase = 2 * np.pi * number / max(50, frame_count)
        scale = size / width * (1.12 + 0.06 * np.sin(phase))
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 3 * np.sin(phase * 0.7), scale)
        matrix[:, 2] += size / 2 - np.array([width / 2, height / 2])
        matrix[:, 2] += size * 0.02 * np.array([np.sin(phase * 1.3), np.cos(phase)])
        return cv2.warpAffine(still, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)

    pictures = (moved(number) for number in range(frame_count))
    return make_video(path, seconds=frame_count / fps, fps=fps, width=size, height=size, pictures=pictures, audio=audio)


def shift_audio(source: Path, path: Path, seconds: float) -> Path:
    """A copy whose sound comes ``seconds`` later (earlier when negative) against untouched pictures."""
    with av.open(str(source)) as original, av.open(str(path), "w") as container:
        video_in, audio_in = original.streams.video[0], original.streams.audio[0]
        rate_hz, layout = audio_in.codec_context.sample_rate, audio_in.codec_context.layout.name
        video = container.add_stream_from_template(video_in)
        audio = container.add_stream("aac", rate=rate_hz, layout=layout)
        pieces = []
        for packet in original.demux(video_in, audio_in):
            if packet.stream is audio_in:
                pieces += [frame.to_ndarray() for frame in packet.decode()]
            elif packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        samples = np.concatenate(pieces, axis=1)
        for frame in _sound_frames(_shifted(samples, round(seconds * rate_hz)), rate_hz):
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


def truncate(source: Path, path: Path, share: float) -> Path:
    """The first ``share`` of a file's bytes, as an upload that broke off."""
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def _video_packets(
    stream: av.VideoStream,
    pictures: Iterable[Bgr],
    times: Sequence[float],
    start_seconds: float,
    pixel_aspect: Fraction | None,
) -> Iterator[av.Packet]:
    opened = False
    for picture, time_seconds in zip(pictures, times, strict=True):
        if not opened:
            stream.height, stream.width = picture.shape[:2]
            if pixel_aspect is not None:
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            opened = True
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        frame = frame.reformat(format=stream.pix_fmt)
        frame.pts = round((start_seconds + time_seconds) / _TIME_BASE)
        frame.time_base = _TIME_BASE
        yield from stream.encode(frame)
    yield from stream.encode()


def _sound_frames(samples: Samples, sample_rate_hz: int, start_seconds: float = 0.0) -> Iterator[AudioFrame]:
    """Frames of a tenth of a second; the encoder cuts them to its own size."""
    step = max(1, sample_rate_hz // 10)
    start = round(start_seconds * sample_rate_hz)
    for place in range(0, samples.shape[1], step):
        piece = np.ascontiguousarray(samples[:, place : place + step], np.float32)
        frame = AudioFrame.from_ndarray(piece, format="fltp", layout=_LAYOUTS[len(samples)])
        frame.sample_rate = sample_rate_hz
        frame.pts = start + place
        frame.time_base = Fraction(1, sample_rate_hz)
        yield frame


def _turned_back(picture: Bgr, rotation_degrees: int, *, mirrored: bool) -> Bgr:
    """The coded picture that a player turns into ``picture``: it turns first, then mirrors."""
    return np.rot90(picture[:, ::-1] if mirrored else picture, rotation_degrees // 90)


def _shifted(samples: Samples, count: int) -> Samples:
    silence = np.zeros((len(samples), abs(count)), np.float32)
    if count >= 0:
        return np.concatenate([silence, samples[:, : samples.shape[1] - count]], axis=1)
    return np.concatenate([samples[:, -count:], silence], axis=1)


def _nearest_colour(bgr: npt.NDArray[np.uint8]) -> str:
    return min(_BGR, key=lambda name: float(np.abs(np.subtract(bgr, _BGR[name], dtype=np.int32)).sum()))
