"""The order of an MP4's top-level boxes (ISO/IEC 14496-12, 4.2): is its index there, and in front of the media data?"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_BOXES = 10_000


def is_faststart(path: Path) -> bool:
    """Whether ``moov`` stands before the first ``mdat``; a fragmented file counts as such."""
    for kind in _box_kinds(path):
        if kind in {b"moov", b"moof"}:
            return True
        if kind == b"mdat":
            return False
    return False


def lacks_index(path: Path) -> bool:
    """Whether an MP4 has no ``moov`` at all: the recording or its upload broke off before the index was written."""
    return b"moov" not in _box_kinds(path)


def _box_kinds(path: Path) -> Iterator[bytes]:
    """Kinds of the top-level boxes, up to the end or to where rubble begins."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            kind, payload_bytes = _header(file)
            if not kind:
                return
            yield kind
            if payload_bytes is None or file.tell() + payload_bytes >= size_bytes:
                return
            file.seek(payload_bytes, 1)


def _header(file: BinaryIO) -> tuple[bytes, int | None]:
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
