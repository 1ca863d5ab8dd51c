"""A resident provider: a process that keeps one instance for whoever calls, one after the other.

    python -m sparkle_dagster.registry._resident <folder> <key> <idle seconds> <owner> <marker>

It returns when it listens; a child goes on, which supervises the worker with the instance. The worker is killed whole
when a call's deadline has passed or its caller is gone, and forked anew for the next call. The resident ends when it
had nothing to do for a while, when the file of its socket or the process that owns it is gone, or when code that it has
loaded has changed.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import socket
import sys
import time
from pathlib import Path

from sparkle_dagster.registry._bounded_log import LOG_NAME, BoundedLog
from sparkle_dagster.registry._child import ORDER_NAME, serve
from sparkle_dagster.registry._loaded_code import LoadedCode
from sparkle_dagster.registry._process_tree import kill_marked
from sparkle_dagster.registry._supervision import Supervision, has_hung_up, read_call, say_end, say_started
from sparkle_dagster.registry.wire import ATTEMPT_VARIABLE

_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 30.0
"""Within which an idle worker says whether it is fit to serve."""
_KILL_LIMIT_SECONDS = 10.0


class ResidentProvider:
    """Supervises the worker. Its working directory is the residents' folder."""

    def __init__(
        self, listener: socket.socket, lock_fd: int, key: str, idle_seconds: float, owner: int, marker: str
    ) -> None:
        self._listener = listener
        self._lock_fd = lock_fd
        self._key = key
        self._idle_seconds = idle_seconds
        self._owner = owner
        self._owner_fds = _watched(owner)
        self._marker = marker
        self._inode = Path(f"{key}.sock").stat().st_ino
        self._supervision = Supervision()
        self._orders: socket.socket | None = None
        self._code = LoadedCode()
        self._runs = 0

    def run(self) -> None:
        while (connection := self._next_caller()) is not None:
            with connection:
                if not self._serve(connection):
                    break
        self._stop_listening()
        self._supervision.kill()
        Path(f"{self._key}.json").unlink(missing_ok=True)

    def _next_caller(self) -> socket.socket | None:
        """None where it is time to end."""
        idle_until = time.monotonic() + self._idle_seconds
        while True:
            fds = [self._listener.fileno(), self._supervision.wake_fd, *self._supervision.output_fds, *self._owner_fds]
            ready = select.select(fds, [], [], _LOOK_SECONDS)[0]
            if self._supervision.wake_fd in ready and self._supervision.woken():
                return None
            if self._owner and (not self._owner_fds or self._owner_fds[0] in ready):
                return None
            self._supervision.take_output(None)
            if self._listener.fileno() in ready:
                return self._listener.accept()[0]
            if time.monotonic() > idle_until or not self._is_listed():
                self._stop_listening()
                is_called = select.select([self._listener], [], [], 0)[0]
                return self._listener.accept()[0] if is_called else None

    def _serve(self, connection: socket.socket) -> bool:
        """Whether it may serve another."""
        received = read_call(connection)
        if received is None or has_hung_up(connection):
            return True
        call, order = received
        provider = json.loads(order)["provider"]
        name = f"{provider['capability']}/{provider['name']}"
        with contextlib.suppress(FileNotFoundError):
            (call.folder / ORDER_NAME).write_bytes(order)
        environment = {**call.environment, ATTEMPT_VARIABLE: self._marker}
        taken = call.model_copy(update={"environment": environment})
        orders = self._fit_worker(connection, taken.model_dump_json().encode())
        if orders is None:
            return False
        self._runs += 1
        self._say(name, is_busy=True)
        deadline = time.monotonic() + call.timeout_seconds
        say_started(connection, self._marker)
        orders.send(b"go")
        log = BoundedLog(call.folder / LOG_NAME)
        reason = self._supervision.watch(connection, deadline, log, orders)
        left = 0 if reason == "done" else self._supervision.kill(log)
        log.close()
        if reason == "stopped":
            shutil.rmtree(call.folder, ignore_errors=True)
        self._say(name, is_busy=False)  # before the caller hears of the end, and may look
        say_end(connection, self._supervision.end_line(reason.replace("done", "ended"), left))
        return not self._supervision.is_told_to_end

    def _fit_worker(self, connection: socket.socket, call: bytes) -> socket.socket | None:
        """The way to a worker that has taken the call; None where its code has changed since it was loaded."""
        for _ in range(2):  # an idle worker may have died
            if self._orders is None or not self._supervision.has_worker:
                self._supervision.kill()
                self._orders = self._start_worker()
            self._orders.settimeout(_ANSWER_SECONDS)
            with contextlib.suppress(OSError):
                socket.send_fds(self._orders, [call], [connection.fileno()])
                answer = self._orders.recv(16)
                self._orders.settimeout(None)
                if answer == b"changed":
                    return None
                if answer == b"fit":
                    return self._orders
            self._supervision.kill()
        return None

    def _start_worker(self) -> socket.socket:
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def work() -> None:
            for fd in (self._lock_fd, self._listener.fileno(), own.fileno()):
                os.close(fd)
            serve(other, self._code)

        with other:
            if self._orders is not None:
                self._orders.close()
            self._supervision.start_worker(work)
        return own

    def _is_listed(self) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"{self._key}.sock").stat().st_ino == self._inode
        return False

    def _stop_listening(self) -> None:
        if self._is_listed():
            Path(f"{self._key}.sock").unlink(missing_ok=True)

    def _say(self, provider: str, *, is_busy: bool) -> None:
        said = {"provider": provider, "process_id": os.getpid(), "owner": self._owner}
        said |= {"is_busy": is_busy, "runs": self._runs}
        new = Path(f"{self._key}.new")
        new.write_text(json.dumps({**said, "since": time.time()}))
        new.replace(f"{self._key}.json")


def _watched(owner: int) -> list[int]:
    """A descriptor that is ready when that process has ended; none where it is gone already, or nobody."""
    with contextlib.suppress(ProcessLookupError):
        return [os.pidfd_open(owner)] if owner else []
    return []


def main() -> None:
    folder, key, idle_seconds, owner, marker = sys.argv[1:]
    os.chdir(folder)
    lock_fd = os.open(f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another is there, or just starting
    if predecessor := os.pread(lock_fd, 4096, 0).decode():
        kill_marked(f"{ATTEMPT_VARIABLE}={predecessor}", _KILL_LIMIT_SECONDS)  # what it left, if it was killed
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, marker.encode(), 0)
    Path(f"{key}.sock").unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{key}.sock")
    listener.listen()
    if os.fork() == 0:
        ResidentProvider(listener, lock_fd, key, float(idle_seconds), int(owner), marker).run()


if __name__ == "__main__":
    main()
