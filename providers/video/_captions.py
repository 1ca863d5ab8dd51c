"""Soft captions: cues read from a sidecar, written as a mov_text track. Not here: making or timing captions."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream

MILLISECONDS = Fraction(1, 1000)

_TIMING = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[,.](\d{3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{2})[,.](\d{3})")

STYLE_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""  # the encoder does not open without an ASS header; it becomes the track's default style

ISO_639_2 = {
    "ar": "ara",
    "bg": "bul",
    "cs": "cze",
    "da": "dan",
    "de": "ger",
    "el": "gre",
    "en": "eng",
    "es": "spa",
    "et": "est",
    "fi": "fin",
    "fr": "fre",
    "he": "heb",
    "hi": "hin",
    "hr": "hrv",
    "hu": "hun",
    "id": "ind",
    "it": "ita",
    "ja": "jpn",
    "ko": "kor",
    "lt": "lit",
    "lv": "lav",
    "nb": "nob",
    "nl": "dut",
    "no": "nor",
    "pl": "pol",
    "pt": "por",
    "ro": "rum",
    "ru": "rus",
    "sk": "slo",
    "sl": "slv",
    "sr": "srp",
    "sv": "swe",
    "th": "tha",
    "tr": "tur",
    "uk": "ukr",
    "vi": "vie",
    "zh": "chi",
}
"""MP4 tracks name their language by ISO 639-2; requests by BCP 47."""


@dataclass(frozen=True)
class Cue:
    start_ms: int
    end_ms_exclusive: int
    text: str


def read_cues(sidecar: str, duration_seconds: float) -> tuple[Cue, ...]:
    """Cues of an .srt or .vtt text that fall within the duration, in order, none overlapping the next."""
    cues: list[Cue] = []
    end_of_audio_ms = int(duration_seconds * 1000)
    for block in re.split(r"\n[ \t]*\n", sidecar.lstrip("\ufeff").replace("\r\n", "\n")):
        match = _TIMING.search(block)
        if match is None:
            continue
        text = block[match.end() :].partition("\n")[2].strip()
        start_ms = max(_milliseconds(match.groups()[:4]), cues[-1].end_ms_exclusive if cues else 0)
        end_ms = min(_milliseconds(match.groups()[4:]), end_of_audio_ms)
        if text and end_ms > start_ms:
            cues.append(Cue(start_ms, end_ms, text))
    return tuple(cues)


def track_language(language: str) -> str:
    """ISO 639-2 code of a BCP 47 tag; ``und`` when it is not known."""
    primary = language.split("-")[0].lower()
    return primary if len(primary) == 3 else ISO_639_2.get(primary, "und")


def add_caption_track(output: OutputContainer, language: str) -> SubtitleStream:
    stream = output.add_stream("mov_text")
    stream.codec_context.subtitle_header = STYLE_HEADER
    stream.codec_context.time_base = MILLISECONDS
    stream.time_base = MILLISECONDS
    stream.metadata["language"] = track_language(language)
    return stream


def caption_packets(cues: tuple[Cue, ...], stream: SubtitleStream) -> Iterator["av.Packet[Any]"]:
    """One packet per cue. A mov_text sample is a length and UTF-8 text (3GPP TS 26.245, 5.17): nothing to escape."""
    for cue in cues:
        text = cue.text.encode()[:0xFFFF]
        packet: av.Packet[Any] = av.Packet(struct.pack(">H", len(text)) + text)
        packet.stream = stream
        packet.time_base = MILLISECONDS
        packet.pts = packet.dts = cue.start_ms
        packet.duration = cue.end_ms_exclusive - cue.start_ms
        packet.is_keyframe = True
        yield packet


def _milliseconds(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
