"""What a provider printed: short output whole, of much its beginning and its end. Standard library only."""

from collections import deque
from pathlib import Path

LOG_NAME = "provider.log"
LOG_HEAD_BYTES = 256 * 1024
LOG_TAIL_BYTES = 64 * 1024


class BoundedLog:
    """What the worker printed: its beginning and its end; the middle of much is left out, and counted."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._head_left = LOG_HEAD_BYTES
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._left_out_bytes = 0

    def write(self, data: bytes) -> None:
        head, rest = data[: self._head_left], data[self._head_left :]
        self._head_left -= len(head)
        self._file.write(head)
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        while self._tail_bytes > LOG_TAIL_BYTES and len(self._tail) > 1:
            dropped = len(self._tail.popleft())
            self._tail_bytes -= dropped
            self._left_out_bytes += dropped

    def close(self) -> None:
        if self._left_out_bytes:
            self._file.write(f"\n... {self._left_out_bytes} bytes left out ...\n".encode())
        self._file.write(b"".join(self._tail))
        self._file.close()
