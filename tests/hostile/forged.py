"""Makers of files that lie, point elsewhere or are too much; all bytes are made here."""

import io
import random
import struct
import zlib

from PIL import Image


def lures(address: str) -> dict[str, bytes]:
    """Texts that make a careless reader fetch or open something else."""
    return {
        "a playlist": f"#EXTM3U\n#EXTINF:1,\nhttp://{address}/a.ts\n#EXTINF:1,\nfile:neighbour.ts\n#EXT-X-ENDLIST\n".encode(),
        "a list of other files": b"ffconcat version 1.0\nfile neighbour.ts\n",
        "a session description (SDP)": (
            f"v=0\no=- 0 0 IN IP4 {address}\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n".encode()
        ),
        "an SVG drawing": f'<?xml version="1.0"?>\n<svg><image href="http://{address}/x.png"/></svg>'.encode(),
        "a streaming manifest": f'<?xml version="1.0"?>\n<MPD><BaseURL>http://{address}/</BaseURL></MPD>'.encode(),
        "a web page": f'<!DOCTYPE html><html><img src="http://{address}/x.png"></html>'.encode(),
    }


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes with a header of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
        + _chunk(b"IEND", b"")
    )


def png_with_text_bomb() -> bytes:
    """A small picture whose comment unpacks to 64 MB."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32)).save(stream, "PNG")
    data = stream.getvalue()
    bomb = _chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(64 * 2**20), 9))
    return data[:33] + bomb + data[33:]


def wav_that_claims(
    *, rate_hz: int = 48_000, channels: int = 1, bits: int = 16, data_bytes: int | None = None, held: int = 9600
) -> bytes:
    """A PCM .wav with any header over ``held`` bytes of samples."""
    samples = bytes(held)
    block = max(1, channels * bits // 8)
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, (rate_hz * block) & 0xFFFFFFFF, block & 0xFFFF, bits)
    claimed = len(samples) if data_bytes is None else data_bytes
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", claimed) + samples
    return b"RIFF" + struct.pack("<I", min(0xFFFFFFFF, len(body) - held + claimed)) + body


def with_bit_errors(content: bytes, share: float, seed: int) -> bytes:
    """``share`` of the bytes replaced by others, the same ones for the same seed."""
    source = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(max(1, int(len(damaged) * share))):
        damaged[source.randrange(len(damaged))] = source.randrange(256)
    return bytes(damaged)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
