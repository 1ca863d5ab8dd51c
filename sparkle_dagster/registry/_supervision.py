"""Watching over a forked worker that serves one caller: until it has answered, the deadline, or the caller is gone.

Shared by the process of a one-shot attempt (``_supervisor``) and that of a resident provider (``_resident``).
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from sparkle_dagster.registry._bounded_log import BoundedLog
from sparkle_dagster.registry._process_tree import adopt_orphans, kill_descendants, signal_when_parent_ends
from sparkle_dagster.registry.wire import Call

_CHUNK_BYTES = 64 * 1024
_KILL_LIMIT_SECONDS = 10.0
_CALL_SECONDS = 30.0
"""A caller writes its whole call at once."""


class Supervision:
    """The worker of this process, which adopts and in the end kills everything below it."""

    def __init__(self) -> None:
        self.wake_fd = adopt_and_wake()
        self.is_told_to_end = False
        self._worker = 0
        self._status: int | None = None
        self._output_fd = -1
        self._cpu_before_seconds = 0.0

    @property
    def has_worker(self) -> bool:
        return self._worker != 0 and self._status is None

    @property
    def output_fds(self) -> list[int]:
        """Where the worker's output comes, while more may come."""
        return [self._output_fd] if self._output_fd >= 0 else []

    def start_worker(self, work: Callable[[], None]) -> None:
        """Fork the worker; ``work`` should not return."""
        read_fd, write_fd = os.pipe()
        supervisor = os.getpid()
        self._status = None
        self._worker = os.fork()
        if self._worker == 0:
            with contextlib.suppress(BaseException):
                os.close(read_fd)
                os.close(self.wake_fd)
                _become_worker(write_fd, supervisor)
                work()
            os._exit(1)  # only reached when even reporting the error failed
        os.close(write_fd)
        os.set_blocking(read_fd, False)
        self._output_fd = read_fd

    def watch(self, connection: socket.socket, deadline: float, log: BoundedLog, done: socket.socket | None) -> str:
        """Wait; then nothing of the worker's output is left unread.

        Args:
            deadline: of the monotonic clock.
            done: becomes readable when a worker that stays has answered.

        Returns:
            ``done``, or after which the worker is not to be used any more: ``ended``, ``timeout``, ``stopped``.
        """
        poll = select.poll()
        for fd in (connection.fileno(), self.wake_fd, self._output_fd):
            poll.register(fd, select.POLLIN)
        if done is not None:
            poll.register(done.fileno(), select.POLLIN)
        self._reap()
        self._begin_to_measure()
        while self.has_worker:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0:
                return "timeout"
            ready = {fd for fd, _ in poll.poll(min(left_seconds, 60) * 1000 + 1)}
            if self._output_fd in ready and not self.take_output(log):
                poll.unregister(self._output_fd)
            if done is not None and done.fileno() in ready and done.recv(1):
                self.take_output(log)
                return "done"
            # The call was the only thing to come: this is its end.
            if connection.fileno() in ready and not _received(connection):
                return "stopped"
            if self.wake_fd in ready and self.woken():
                return "stopped"
        return "ended"

    def take_output(self, log: BoundedLog | None) -> bool:
        """Read what the worker printed, into the log or away; whether there may come more."""
        with contextlib.suppress(BlockingIOError):
            while self._output_fd >= 0 and (data := os.read(self._output_fd, _CHUNK_BYTES)):
                if log is not None:
                    log.write(data)
            return False
        return True

    def woken(self) -> bool:
        """Bury who has ended; whether this process was asked to end."""
        self.is_told_to_end |= signal.SIGTERM in os.read(self.wake_fd, _CHUNK_BYTES)
        self._reap()
        return self.is_told_to_end

    def kill(self, log: BoundedLog | None = None) -> int:
        """Kill the worker and everything else below this process; how many could not be killed."""
        left = kill_descendants(self._reap, _KILL_LIMIT_SECONDS)
        if self._output_fd >= 0:
            self.take_output(log)
            os.close(self._output_fd)
        self._output_fd = -1
        self._worker = 0
        return len(left)

    def end_line(self, reason: str, left: int) -> dict[str, Any]:
        code = os.waitstatus_to_exitcode(self._status or 0)
        return {
            "kind": "end",
            "reason": reason,
            "exit_code": max(code, 0),
            "signal": max(-code, 0),
            "left": left,
            "cpu_s": round(self._cpu_seconds() - self._cpu_before_seconds, 3),
            "peak_memory_mb": round(self._peak_memory_kib() / 1024, 1),
        }

    def _begin_to_measure(self) -> None:
        self._cpu_before_seconds = self._cpu_seconds()
        with contextlib.suppress(OSError):
            Path(f"/proc/{self._worker}/clear_refs").write_text("5")  # proc_pid_clear_refs(5): its peak starts anew

    def _cpu_seconds(self) -> float:
        """Of everything below this process: what was reaped here, and the worker with what it reaped."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        ticks = 0
        if self.has_worker:
            with contextlib.suppress(OSError):  # proc_pid_stat(5), from the state on: utime stime cutime cstime
                fields = Path(f"/proc/{self._worker}/stat").read_text(errors="replace").rpartition(")")[2].split()
                ticks = sum(map(int, fields[11:15]))
        return used.ru_utime + used.ru_stime + ticks / os.sysconf("SC_CLK_TCK")

    def _peak_memory_kib(self) -> int:
        """The most that one process held: the worker that stays, or whichever was reaped here."""
        if self.has_worker:
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{self._worker}/status").read_text().splitlines()
                return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    def _reap(self) -> None:
        for pid, status in bury():
            if pid == self._worker:
                self._status = status


def read_call(connection: socket.socket) -> tuple[Call, bytes] | None:
    """What a caller wants, and the order's line; None where it is gone already."""
    data = bytearray()
    connection.settimeout(_CALL_SECONDS)
    with contextlib.suppress(OSError):
        while not (data.endswith(b"\n") and data.count(b"\n") == 2):
            chunk = connection.recv(_CHUNK_BYTES)
            if not chunk:
                return None
            data += chunk
        connection.settimeout(None)
        call, _, order = bytes(data).partition(b"\n")
        return Call.model_validate_json(call), order
    return None


def say_started(connection: socket.socket, marker: str) -> None:
    """Answer the call; with a descriptor of this process, by which the caller sees it end and may kill it.

    Args:
        marker: what ATTEMPT_VARIABLE holds in the environment of every program that is started below this process.
    """
    own = os.pidfd_open(os.getpid())
    started = json.dumps({"kind": "started", "marker": marker}).encode() + b"\n"
    with contextlib.suppress(OSError):
        socket.send_fds(connection, [started], [own])
    os.close(own)


def say_end(connection: socket.socket, end: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        # A killed worker may have left half a line.
        connection.sendall(b"\n" + json.dumps(end).encode() + b"\n")


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the caller is gone, so that nothing need be done for it."""
    return bool(select.select([connection], [], [], 0)[0]) and not _received(connection)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_CHUNK_BYTES)
    except OSError:
        return b""


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


def adopt_and_wake() -> int:
    """Adopt orphans below this process; a descriptor that becomes readable at SIGCHLD and SIGTERM.

    Each byte is a signal's number.
    """
    adopt_orphans()
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, _only_wake)
    return read_fd


def bury() -> Iterator[tuple[int, int]]:
    """Process id and status of each child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            yield ended


def _only_wake(number: int, frame: FrameType | None) -> None:
    """A handler must be there for the wake-up byte to be written."""
