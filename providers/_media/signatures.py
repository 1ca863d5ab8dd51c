"""Which family a file belongs to, from its first bytes. Nothing is opened here."""

import re
from typing import Literal

FileKind = Literal["media", "picture", "text", "unknown"]

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_MEDIA = (b"\x1a\x45\xdf\xa3", b"fLaC", b"OggS", b"ID3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"#!AMR", b"RF64")
_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
_TS_PACKET_BYTES = 188
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LURES = (
    (r"#EXTM3U|\[playlist\]", "a playlist"),
    (r"ffconcat", "a list of other files"),
    (r"v=0\s+o=", "a session description (SDP)"),
    (r"(<\?xml[\s\S]{0,500})?<svg", "an SVG drawing"),
    (r"(<\?xml[\s\S]{0,500})?<MPD", "a streaming manifest"),
    (r"<!DOCTYPE html|<html", "a web page"),
)


def kind_of(head: bytes) -> FileKind:
    """The family of a file that starts with ``head`` (some kilobytes of it)."""
    if _is_picture(head):
        return "picture"
    if _is_media(head):
        return "media"
    return "text" if text_of(head) is not None else "unknown"


def text_of(head: bytes) -> str | None:
    """The beginning of a text in UTF-8 or UTF-16 with a mark; None when it is no text."""
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    for cut in range(4):  # a character may be cut in two at the end
        try:
            text = head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if not text or _CONTROL.search(text) else text
    return None


def is_mp4(head: bytes) -> bool:
    """MP4, MOV and their kin, by the first box; pictures in the same wrapping (HEIC, AVIF) are not."""
    return head[4:8] in _MP4_BOXES and not _is_modern_still(head)


def refusal_of(head: bytes) -> str:
    """Why a file is not opened as audio or video: expected, got, what to do."""
    kind = kind_of(head)
    found = {"picture": "a picture", "text": "a text", "unknown": "bytes of no known kind", "media": "media"}[kind]
    text = text_of(head) if kind == "text" else None
    for pattern, name in _LURES if text else ():
        if re.match(rf"\s*(?:{pattern})", text or "", re.IGNORECASE):
            found = name
    if _is_modern_still(head):
        found = "a HEIC or AVIF picture (save it as JPEG or PNG)"
    return f"expected an audio or video file, got {found}"


def _is_picture(head: bytes) -> bool:
    return head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _is_modern_still(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS


def _is_media(head: bytes) -> bool:
    if head.startswith(_MEDIA):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] in {b"WAVE", b"AVI "}
    if head[:4] == b"FORM":
        return head[8:12] in {b"AIFF", b"AIFC"}
    return is_mp4(head) or _is_mpeg_audio(head) or _is_transport_stream(head)


def _is_mpeg_audio(head: bytes) -> bool:
    """An MP3 or ADTS frame: twelve or eleven set bits, then a version, layer and rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:  # ADTS: layer 0
        return (head[2] >> 2) & 0xF < 13
    is_layer_2_or_3 = head[1] & 0x06 in {0x02, 0x04}  # layer 1 is never met, and UTF-16 texts start like it
    return head[1] & 0x18 != 0x08 and is_layer_2_or_3 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C


def _is_transport_stream(head: bytes) -> bool:
    return len(head) > 2 * _TS_PACKET_BYTES and all(head[at] == 0x47 for at in (0, _TS_PACKET_BYTES, 376))
