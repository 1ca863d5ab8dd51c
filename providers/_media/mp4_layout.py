"""The order of an MP4's top-level boxes (ISO/IEC 14496-12, 4.2): is its index in front of the media data?"""

import struct
from pathlib import Path
from typing import BinaryIO

_MAX_BOXES = 10_000


def is_faststart(path: Path) -> bool:
    """Whether ``moov`` stands before the first ``mdat``; a fragmented file counts as such."""
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            kind, payload_bytes = _next_box(file)
            if kind in {b"moov", b"moof"}:
                return True
            if kind in {b"mdat", b""} or payload_bytes is None:
                return False
            file.seek(payload_bytes, 1)
    return False


def lacks_index(path: Path) -> bool:
    """Whether an MP4 has no ``moov`` at all: the recording or its upload broke off before the index was written."""
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            kind, payload_bytes = _next_box(file)
            if kind == b"moov":
                return False
            if kind == b"" or payload_bytes is None:
                return True
            file.seek(payload_bytes, 1)
    return True


def _next_box(file: BinaryIO) -> tuple[bytes, int | None]:
    """Kind and size of the payload; None for one that reaches to the end. Kind empty at the end or in rubble."""
    header = file.read(8)
    if len(header) < 8:
        return b"", None
    size, kind = struct.unpack(">I4s", header)
    if size == 0:
        return kind, None
    header_bytes = 8
    if size == 1:
        large = file.read(8)
        if len(large) < 8:
            return b"", None
        (size,) = struct.unpack(">Q", large)
        header_bytes = 16
    return (kind, size - header_bytes) if size >= header_bytes else (b"", None)
