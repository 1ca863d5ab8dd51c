"""Picture, sound, captions and labels into one MP4. Everything that comes here is coded already."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from contracts.production import ProductionSpec
from providers._media.opening import open_media
from providers.video._captions import Cue, add_caption_track, caption_packets
from providers.video._clips import Clip, copied_packets, required_video_stream

SYNTHETIC_COMMENT = "Synthetic media: made by Sparkle from a recorded voice and a picture."

_Packets = Iterator["av.Packet[Any]"]


@dataclass(frozen=True)
class Captions:
    cues: tuple[Cue, ...]
    language: str


def tags(production: ProductionSpec, title: str) -> dict[str, str]:
    """What the file says of itself, readable by any player; empty values are left out."""
    labels = {
        "title": title,
        "comment": SYNTHETIC_COMMENT,
        "synthetic": "true",
        "tool": f"Sparkle {version('sparkle')}",
        "production": production.key,
        "digest": production.upload_digest,
    }
    return {name: value for name, value in labels.items() if value}


def write_mp4(
    target: Path, clips: tuple[Clip, ...], sound: Path, captions: Captions | None, labels: dict[str, str]
) -> None:
    """Copy coded streams into an MP4 whose index stands first. Equal input gives equal bytes: no clock is read."""
    options = {"movflags": "+faststart+use_metadata_tags", "fflags": "+bitexact"}
    with (
        open_media(clips[0].path) as first_clip,
        open_media(sound) as heard,
        av.open(str(target), "w", format="mp4", options=options) as output,
    ):
        output.metadata.update(labels)
        picture = output.add_stream_from_template(required_video_stream(first_clip))
        voice = output.add_stream_from_template(heard.streams.audio[0])
        tracks: list[_Packets] = [copied_packets(clips, picture), _sound_packets(heard, voice)]
        if captions:
            track = add_caption_track(output, captions.language)
            tracks.append(caption_packets(captions.cues, track))
        _mux_in_time(output, tracks)


def _sound_packets(heard: InputContainer, voice: AudioStream) -> _Packets:
    for packet in heard.demux(heard.streams.audio[0]):
        if packet.dts is not None:
            packet.stream = voice
            yield packet


def _mux_in_time(output: OutputContainer, tracks: list[_Packets]) -> None:
    """The muxer holds packets back until every track has come as far; fed in order, it holds next to nothing."""
    for packet in heapq.merge(*tracks, key=_decoding_time):
        output.mux(packet)


def _decoding_time(packet: "av.Packet[Any]") -> float:
    return float((packet.dts or 0) * packet.time_base)
