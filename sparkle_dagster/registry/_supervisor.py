"""The process between the platform and one attempt of a provider: it starts the worker and leaves nothing behind.

    python -m sparkle_dagster.registry._supervisor <answers fd> <deadline> <folder>

Standard input carries the order as one line and then stays open: its end means that the platform is gone. The worker
is forked, so that one interpreter's start serves both. When the worker has ended, the deadline (of the monotonic clock)
has passed or the platform is gone, every descendant is killed, and one line on the answers' descriptor says how it was:
``{"kind": "end", "reason": "ended|timeout|stopped", "exit_code": 0, "signal": 0, "left": 0, "cpu_s": 1.5,
"peak_memory_mb": 210.0}``.
"""

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections import deque
from pathlib import Path
from types import FrameType

from sparkle_dagster.registry._process_tree import adopt_orphans, kill_descendants, signal_when_parent_ends

LOG_NAME = "provider.log"
LOG_HEAD_BYTES = 256 * 1024
LOG_TAIL_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_KILL_LIMIT_SECONDS = 10.0
_STANDARD_INPUT = 0


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


class Supervisor:
    """One worker, watched until it and everything below it has ended."""

    def __init__(self, answers_fd: int, deadline: float, folder: Path) -> None:
        self._answers_fd = answers_fd
        self._deadline = deadline
        self._folder = folder
        self._wake_fd = _wake_on_signals()
        self._worker = 0
        self._worker_status: int | None = None
        self._platform_is_gone = False

    def run(self) -> None:
        order = self._read_order()
        if not order:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        log = BoundedLog(self._folder / LOG_NAME)
        output_fd = self._start_worker(order)
        reason = self._watch(output_fd, log)
        left = kill_descendants(self._reap, _KILL_LIMIT_SECONDS)
        _drain(output_fd, log)
        log.close()
        self._report(reason, len(left))
        if self._platform_is_gone:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read_order(self) -> bytes:
        chunks: list[bytes] = []
        while chunk := os.read(_STANDARD_INPUT, _CHUNK_BYTES):
            chunks.append(chunk)
            if chunk.endswith(b"\n"):
                return b"".join(chunks)
        return b""

    def _start_worker(self, order: bytes) -> int:
        read_fd, write_fd = os.pipe()
        supervisor = os.getpid()
        self._worker = os.fork()
        if self._worker == 0:
            with contextlib.suppress(BaseException):
                os.close(read_fd)
                _become_worker(write_fd, supervisor)
                from sparkle_dagster.registry._child import work

                work(order, self._answers_fd, self._folder)
            os._exit(1)  # only reached when even reporting the error failed
        os.close(write_fd)
        return read_fd

    def _watch(self, output_fd: int, log: BoundedLog) -> str:
        poll = select.poll()
        for fd in (_STANDARD_INPUT, self._wake_fd, output_fd):
            poll.register(fd, select.POLLIN)
        while self._worker_status is None:
            left_seconds = self._deadline - time.monotonic()
            if left_seconds <= 0:
                return "timeout"
            for fd, _ in poll.poll(min(left_seconds, 60) * 1000 + 1):
                if fd == output_fd:
                    data = os.read(output_fd, _CHUNK_BYTES)
                    log.write(data)
                    if not data:
                        poll.unregister(output_fd)
                elif fd == self._wake_fd:
                    self._platform_is_gone |= signal.SIGTERM in os.read(self._wake_fd, _CHUNK_BYTES)
                else:  # the order was the only thing to come: this is the end of standard input
                    self._platform_is_gone = True
            if self._platform_is_gone:
                return "stopped"
            self._reap()
        return "ended"

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._worker:
                    self._worker_status = status

    def _report(self, reason: str, left: int) -> None:
        code = os.waitstatus_to_exitcode(self._worker_status or 0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of all descendants: they were reaped here
        end = {
            "kind": "end",
            "reason": reason,
            "exit_code": max(code, 0),
            "signal": max(-code, 0),
            "left": left,
            "cpu_s": round(used.ru_utime + used.ru_stime, 3),
            "peak_memory_mb": round(used.ru_maxrss / 1024, 1),
        }
        with contextlib.suppress(OSError):
            # A killed worker may have left half a line.
            os.write(self._answers_fd, b"\n" + json.dumps(end).encode() + b"\n")


def _become_worker(output_fd: int, supervisor: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal_when_parent_ends(signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.close(output_fd)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel is to take the worker, not what watches it.
        Path("/proc/self/oom_score_adj").write_text("500")


def _wake_on_signals() -> int:
    """A descriptor that becomes readable at SIGCHLD and SIGTERM; each byte is a signal's number."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, _only_wake)
    return read_fd


def _only_wake(number: int, frame: FrameType | None) -> None:
    """A handler must be there for the wake-up byte to be written."""


def _drain(output_fd: int, log: BoundedLog) -> None:
    os.set_blocking(output_fd, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(output_fd, _CHUNK_BYTES):
            log.write(data)


def main() -> None:
    supervisor = Supervisor(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
    adopt_orphans()
    signal_when_parent_ends(signal.SIGTERM)
    supervisor.run()


if __name__ == "__main__":
    main()
