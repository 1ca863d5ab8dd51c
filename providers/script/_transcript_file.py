"""A transcript file as text and, where it has them, timed cues. Not here: aligning it.

Plain text, SubRip and WebVTT are told apart by content: names and media types are somebody's claim. Markup of the two
subtitle formats is removed; in plain text ``<b>`` is three characters.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts.errors import ProviderRejected
from providers._speech.text import cleaned

MAX_BYTES = 4 * 2**20  # some 60 hours of speech

_STAMP = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})"
_TIMING = re.compile(rf"^\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s.*)?$")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|<\d[\d:.]*>|\{\\[^{}\n]*\}")


@dataclass(frozen=True)
class TimedText:
    """A cue as it stands in a subtitle file."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True)
class Transcript:
    text: str
    cues: tuple[TimedText, ...] = ()
    """In order of time; empty for plain text."""


def read_transcript(data: bytes) -> Transcript:
    """Raises: ProviderRejected: not text, or too much of it."""
    text = _decoded(data)
    is_vtt = text.lstrip().startswith("WEBVTT")
    cues = tuple(sorted(_cues(text.splitlines(), is_vtt), key=lambda cue: cue.start_seconds))
    if cues or is_vtt:
        return Transcript(cleaned("\n".join(cue.text for cue in cues)), cues)
    return Transcript(cleaned(text))


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise ProviderRejected(f"expected a transcript of at most {MAX_BYTES} bytes, got {len(data)}")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    if b"\x00" in data:
        raise ProviderRejected("expected a transcript in plain text, SubRip or WebVTT, got binary data")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _cues(lines: Iterable[str], is_vtt: bool) -> Iterator[TimedText]:
    """A timing line, then text up to the first empty line; all else (numbers, names, notes, styles) is passed over."""
    times: tuple[float, float] | None = None
    body: list[str] = []
    for line in [*lines, ""]:
        timing = _TIMING.match(line)
        if timing is None and line.strip():
            body.append(line)
            continue
        if times is not None and (text := _plain(body, is_vtt)):
            yield TimedText(*times, text)
        body = []
        times = _times(timing) if timing else None


def _times(match: re.Match[str]) -> tuple[float, float]:
    first, last = (_seconds(*match.groups()[at : at + 4]) for at in (0, 4))
    return first, max(first, last)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _plain(lines: Iterable[str], is_vtt: bool) -> str:
    text = _TAG.sub("", " ".join(line.strip() for line in lines)).replace("\\N", " ").replace("\\h", " ")
    return " ".join(cleaned(html.unescape(text) if is_vtt else text).split())
