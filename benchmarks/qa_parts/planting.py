"""Faults planted into finished files, each as it happens: one stream is changed, the other is copied as it is."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from providers._media.audio import read_audio

Samples = npt.NDArray[np.float32]
RATE_HZ = 48_000
Plant = Callable[[Path, Path, Path], None]
"""(finished file, another finished file, where to write)."""


def with_sound(source: Path, target: Path, change: Callable[[Samples], Samples]) -> None:
    """The sound as ``change`` makes it of float32 (n,) at RATE_HZ; the picture's packets are copied."""
    samples = np.clip(change(read_audio(source, RATE_HZ)), -1, 1).astype(np.float32)
    with av.open(str(source)) as original, av.open(str(target), "w", options={"movflags": "+faststart"}) as container:
        video_in = original.streams.video[0]
        video = container.add_stream_from_template(video_in)
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for packet in original.demux(video_in):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())


def with_picture(source: Path, target: Path, pictures: Callable[[Iterator[VideoFrame]], Iterator[VideoFrame]]) -> None:
    """The picture as ``pictures`` makes it, encoded as the profile does; the sound's packets are copied."""
    bare = target.with_suffix(".bare.mp4")
    with av.open(str(source)) as original, av.open(str(bare), "w") as container:
        video_in = original.streams.video[0]
        video = container.add_stream("libx264", rate=video_in.average_rate, options={"preset": "veryfast", "crf": "20"})
        video.width, video.height, video.pix_fmt = video_in.width, video_in.height, "yuv420p"
        for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
            setattr(video.codec_context, tag, 1)
        for number, frame in enumerate(pictures(original.decode(video_in))):
            changed = VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
            changed.pts, changed.time_base = number, 1 / Fraction(video_in.average_rate or 25)
            container.mux(video.encode(changed))
        container.mux(video.encode())
    with (
        av.open(str(bare)) as picture,
        av.open(str(source)) as original,
        av.open(str(target), "w", options={"movflags": "+faststart"}) as container,
    ):
        video = container.add_stream_from_template(picture.streams.video[0])
        audio = container.add_stream_from_template(original.streams.audio[0])
        for opened, kind, stream in ((picture, "video", video), (original, "audio", audio)):
            for packet in opened.demux(**{kind: 0}):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)
    bare.unlink()


def shifted(seconds: float) -> Plant:
    """The sound that much later, the file as long as it was."""

    def change(samples: Samples) -> Samples:
        count = round(seconds * RATE_HZ)
        gap = np.zeros(abs(count), np.float32)
        if count >= 0:
            return np.concatenate([gap, samples[: len(samples) - count]])
        return np.concatenate([samples[-count:], gap])

    return lambda source, other, target: with_sound(source, target, change)


def swapped(source: Path, other: Path, target: Path) -> None:
    """Somebody else's sound."""
    theirs = read_audio(other, RATE_HZ)
    with_sound(source, target, lambda samples: np.resize(theirs, len(samples)))


def silent(source: Path, other: Path, target: Path) -> None:
    with_sound(source, target, np.zeros_like)


def clipped(source: Path, other: Path, target: Path) -> None:
    with_sound(source, target, lambda samples: np.clip(samples * 8, -1, 1))


def black(source: Path, other: Path, target: Path) -> None:
    """Half a second in the middle."""

    def pictures(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        for number, frame in enumerate(frames):
            if 100 <= number < 112:
                planes = frame.to_ndarray()
                planes[: frame.height], planes[frame.height :] = 16, 128
                yield VideoFrame.from_ndarray(planes, format="yuv420p")
            else:
                yield frame

    with_picture(source, target, pictures)


def frozen(source: Path, other: Path, target: Path) -> None:
    """The picture stops after four seconds."""

    def pictures(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        held = None
        for number, frame in enumerate(frames):
            held = frame if held is None or number <= 100 else held
            yield held

    with_picture(source, target, pictures)


def still_face(mute: Path) -> Plant:
    """The head lives, the mouth does not: ``mute`` is the picture."""

    def plant(source: Path, other: Path, target: Path) -> None:
        with_picture(source, target, lambda frames: _instead(frames, mute))

    return plant


def _instead(frames: Iterator[VideoFrame], mute: Path) -> Iterator[VideoFrame]:
    with av.open(str(mute)) as film:
        for _, frame in zip(frames, film.decode(video=0), strict=False):
            yield frame


def truncated(source: Path, other: Path, target: Path) -> None:
    """A copy that broke off."""
    content = source.read_bytes()
    target.write_bytes(content[: len(content) * 7 // 10])


def too_short(source: Path, other: Path, target: Path) -> None:
    """It ends well before the recording does."""
    with av.open(str(source)) as original, av.open(str(target), "w", options={"movflags": "+faststart"}) as container:
        streams = {
            stream: container.add_stream_from_template(stream) for stream in original.streams.get(video=0, audio=0)
        }
        for packet in original.demux(*streams):
            if packet.dts is not None and packet.time_base is not None and packet.dts * packet.time_base < 7:
                packet.stream = streams[packet.stream]
                container.mux(packet)


PLANTS: dict[str, Plant] = {
    "sound 80 ms late": shifted(0.08),
    "sound 80 ms early": shifted(-0.08),
    "sound 200 ms late": shifted(0.2),
    "sound 200 ms early": shifted(-0.2),
    "another sound": swapped,
    "silent": silent,
    "clipped": clipped,
    "half a second black": black,
    "frozen after 4 s": frozen,
    "broken off": truncated,
    "ends early": too_short,
}
