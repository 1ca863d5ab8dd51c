"""A supervisor and all the processes below it, as seen from the platform: call in, messages out, and an end.

Not here: what the messages mean.
"""

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from contracts.errors import ProviderFailed
from sparkle_dagster.registry._process_tree import kill_marked
from sparkle_dagster.registry.wire import ATTEMPT_VARIABLE, MAX_ANSWER_BYTES

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 15.0
_CHUNK_BYTES = 64 * 1024


class AttemptStopped(BaseException):
    """The caller asked to stop. Not an error of the provider."""


class NotServed(Exception):
    """The supervisor ended before it took the call."""


class SupervisedTree:
    """One attempt's processes.

    Args:
        connection: to the supervisor; owned from now on.
        call: what is sent to it, ending with a newline.
        start_seconds: within which it must begin; None where others may be served before.
    """

    def __init__(
        self, connection: socket.socket, call: bytes, timeout_seconds: float, start_seconds: float | None
    ) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._call = memoryview(call)
        self._timeout_seconds = timeout_seconds
        self._marker = ""
        self._backstop = time.monotonic() + start_seconds if start_seconds is not None else float("inf")
        self._process_fd = -1
        self._pending = bytearray()
        self._has_ended = False

    def messages(self, stop: threading.Event | None) -> Iterator[dict[str, Any]]:
        """What comes, up to the end.

        Raises:
            NotServed: the supervisor ended before it began.
            ProviderFailed: a message is too long.
            AttemptStopped: ``stop`` was set.
        """
        for line in self._lines(stop):
            message = _message(line)
            if message.get("kind") == "started" and not self._marker:
                self._marker = f"{ATTEMPT_VARIABLE}={message['marker']}"
                self._backstop = time.monotonic() + self._timeout_seconds + _GRACE_SECONDS
            self._has_ended = message.get("kind") == "end"
            yield message
            if self._has_ended:
                return
        if self._process_fd < 0:
            raise NotServed

    def close(self) -> None:
        """End whatever is left, and wait for it."""
        if not self._has_ended:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self._backstop = time.monotonic() + _GRACE_SECONDS
            with contextlib.suppress(NotServed, ProviderFailed):
                for _ in self.messages(None):
                    pass
        self._connection.close()
        if not self._has_ended and self._marker:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process_fd, signal.SIGKILL)
            kill_marked(self._marker, _GRACE_SECONDS)
        if self._process_fd >= 0:
            os.close(self._process_fd)

    def _lines(self, stop: threading.Event | None) -> Iterator[bytes]:
        for chunk in self._chunks(stop):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                line = bytes(self._pending + end)
                self._pending.clear()
                yield line
            self._pending += rest
            if len(self._pending) > MAX_ANSWER_BYTES:
                self._pending.clear()
                raise ProviderFailed(f"expected an answer of at most {MAX_ANSWER_BYTES} bytes, got more")

    def _chunks(self, stop: threading.Event | None) -> Iterator[bytes]:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN | (select.POLLOUT if self._call else 0))
        while time.monotonic() < self._backstop:  # later the supervisor should have ended it long ago
            if stop is not None and stop.is_set():
                raise AttemptStopped
            supervisor_has_ended = self._supervisor_has_ended()
            ready = dict(poll.poll(0 if supervisor_has_ended else _POLL_SECONDS * 1000)).get(
                self._connection.fileno(), 0
            )
            if ready & select.POLLOUT:
                self._call = self._call[self._sent() :]
                if not self._call:
                    poll.modify(self._connection, select.POLLIN)
            if ready & (select.POLLIN | select.POLLHUP | select.POLLERR):
                chunk = self._received()
                if not chunk:
                    return
                yield chunk
            elif supervisor_has_ended:
                return

    def _sent(self) -> int:
        """Bytes that went out; all of them where nobody reads any more."""
        try:
            return self._connection.send(self._call)
        except BlockingIOError:
            return 0
        except OSError:
            return len(self._call)

    def _received(self) -> bytes:
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, _CHUNK_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:  # it was not ready to take the call and is gone
            return b""
        for fd in fds:
            if self._process_fd < 0:
                self._process_fd = fd  # the supervisor's: it speaks first
            else:
                os.close(fd)
        return data

    def _supervisor_has_ended(self) -> bool:
        return self._process_fd >= 0 and bool(select.select([self._process_fd], [], [], 0)[0])


def _message(line: bytes) -> dict[str, Any]:
    """A line's object; empty for half a line, which a killed worker may leave."""
    with contextlib.suppress(ValueError):
        document: object = json.loads(line)
        if isinstance(document, dict):
            return document
    return {}
