"""The chunks in front of a WAV's or AVI's media data: does each fit into the file?

libav allocates what a chunk's header claims before it reads it; a few bytes could ask for gigabytes.
"""

import struct
from pathlib import Path

_MAX_CHUNKS = 1_000
_MEDIA = {b"data", b"movi"}


def has_impossible_chunk(path: Path) -> bool:
    """Whether a chunk before the media data claims more than the file holds. The data itself may: it was cut off."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        for _ in range(_MAX_CHUNKS):
            header = file.read(12)
            if len(header) < 12:
                return False
            kind, chunk_bytes, list_kind = struct.unpack("<4sI4s", header)
            if kind in _MEDIA or (kind == b"LIST" and list_kind in _MEDIA):
                return False
            start = file.tell() - 4
            if start + chunk_bytes > size_bytes:
                return True
            file.seek(start + chunk_bytes + chunk_bytes % 2)
    return False
