"""One pass over a file: facts of its streams, and every decoded frame shown to whoever wants to look (previews)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import av.container
import av.video
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from contracts.artifacts import AudioInfo, MediaInfo, VideoInfo
from contracts.errors import ProviderRejected
from providers._media.decode import Tally, audio_stream, decoded, video_stream
from providers._media.limits import DEFAULT_LIMITS, MediaLimits
from providers._media.mp4_layout import is_faststart
from providers._media.opening import open_media, sniff, stream_codec
from providers._media.stills import open_picture
from providers._media.stream_facts import AudioFacts, VideoFacts

_EXIF_ORIENTATION = 0x0112
_INDEXED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac"})
"""Containers that write their true length; others leave it to be guessed from the bit rate."""
_CUT_SECONDS = 0.25
"""Less may be the rounding of an edit list or a last frame's length."""


class VideoVisitor(Protocol):
    def __call__(self, frame: VideoFrame, time_seconds: float, stream: av.video.VideoStream) -> None: ...


class AudioVisitor(Protocol):
    def __call__(self, frame: AudioFrame) -> None: ...


@dataclass(frozen=True)
class Visitors:
    """Called for each frame that decodes and is kept, in the file's order."""

    video: VideoVisitor | None = None
    audio: AudioVisitor | None = None


def survey(path: Path, visitors: Visitors | None = None, limits: MediaLimits = DEFAULT_LIMITS) -> MediaInfo:
    """Facts of any file.

    Raises:
        ProviderRejected: media that does not open, holds nothing that decodes, or is outside the limits.
    """
    kind = sniff(path)
    if kind == "picture":
        return _picture(path)
    if kind == "media":
        return _media(path, visitors or Visitors(), limits)
    return MediaInfo(kind="text" if kind == "text" else "data")


def _picture(path: Path) -> MediaInfo:
    with open_picture(path) as image:
        image.load()
        width, height = image.size
        turned = image.getexif().get(_EXIF_ORIENTATION, 1)
        rotation = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(turned, 0)
        if rotation in {90, 270}:
            width, height = height, width
        codec = (image.format or "").lower()
        mode = image.mode
    video = VideoInfo(
        codec=codec,
        width=width,
        height=height,
        fps=0,
        frame_count=1,
        duration_seconds=0,
        pixel_format=mode,
        rotation_degrees=rotation,
    )
    return MediaInfo(kind="image", container=codec, video=video)


def _media(path: Path, visitors: Visitors, limits: MediaLimits) -> MediaInfo:
    tally = Tally()
    with open_media(path, limits) as container:
        video, audio = video_stream(container), audio_stream(container)
        video_facts = VideoFacts(video, limits) if video else None
        audio_facts = AudioFacts(audio, limits) if audio else None
        for frame in decoded(container, video, audio, tally=tally, limits=limits):
            if isinstance(frame, AudioFrame):
                if audio_facts is not None:
                    audio_facts.add(frame)
                    if visitors.audio:
                        visitors.audio(frame)
            elif video is not None and video_facts is not None:
                time_seconds = video_facts.add(frame)
                if visitors.video and time_seconds is not None:
                    visitors.video(frame, time_seconds, video)
        video_info = video_facts.info() if video_facts else None
        audio_info = audio_facts.info() if audio_facts else None
        found = [info for info in (video_info, audio_info) if info]
        if not found:
            raise ProviderRejected(
                "expected sound or pictures, got a file in which nothing decodes "
                f"({tally.last_reason or 'its streams are empty'}); export it again"
            )
        return MediaInfo(
            kind="video" if video_info else "audio",
            container=container.format.name,
            duration_seconds=max(info.duration_seconds for info in found),
            video=video_info,
            audio=audio_info,
            subtitle_codecs=tuple(stream_codec(stream) for stream in container.streams.subtitles),
            faststart=is_faststart(path) if "mp4" in container.format.name else None,
            tags=_tags(container, limits),
            decode_errors=tally.errors + _is_cut_off(container, found),
        )


def _is_cut_off(container: av.container.InputContainer, found: list[VideoInfo | AudioInfo]) -> bool:
    """Whether packets that the file's index promises are not there; counted as one that did not decode."""
    if container.format.name not in _INDEXED or container.duration is None:
        return False
    promised_seconds = container.duration / av.time_base
    start = min(info.start_seconds for info in found)
    return promised_seconds - _CUT_SECONDS > max(info.start_seconds + info.duration_seconds for info in found) - start


def _tags(container: av.container.InputContainer, limits: MediaLimits) -> dict[str, str]:
    pairs = sorted(container.metadata.items())[: limits.max_tags]
    return {_plain(key, 60): _plain(value, limits.max_tag_chars) for key, value in pairs}


def _plain(text: str, max_chars: int) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:max_chars])
