"""A supervisor and all the processes below it, as seen from the platform: order in, lines out, and an end.

Not here: what the lines mean.
"""

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import ProviderFailed
from sparkle_dagster.registry._process_tree import kill_marked
from sparkle_dagster.registry.wire import MAX_ANSWER_BYTES
from sparkle_dagster.settings import provider_environment

SUPERVISOR_LOG_NAME = "supervisor.log"
ATTEMPT_VARIABLE = "SPARKLE_ATTEMPT"
"""Marks every process of an attempt; holds the attempt's folder."""

_SUPERVISOR_MODULE = "sparkle_dagster.registry._supervisor"
_POLL_SECONDS = 0.2
_SUPERVISOR_GRACE_SECONDS = 15.0
_CHUNK_BYTES = 64 * 1024


class AttemptStopped(BaseException):
    """The caller asked to stop. Not an error of the provider."""


class SupervisedTree:
    """The supervisor and all below it, as seen from the platform."""

    def __init__(self, folder: Path, order: bytes, deadline: float) -> None:
        self._marker = f"{ATTEMPT_VARIABLE}={folder}"
        self._order = order
        self._backstop = deadline + _SUPERVISOR_GRACE_SECONDS
        self._answers_fd, answers_end = os.pipe()
        os.set_blocking(self._answers_fd, False)
        command = [sys.executable, "-P", "-m", _SUPERVISOR_MODULE, str(answers_end), repr(deadline), str(folder)]
        try:
            with (folder / SUPERVISOR_LOG_NAME).open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=(answers_end,),
                    env=_environment(folder),
                    cwd=folder,
                    start_new_session=True,  # the terminal's Ctrl-C is for the platform, which then ends the tree
                )
        except BaseException:
            os.close(self._answers_fd)
            raise
        finally:
            os.close(answers_end)

    def lines(self, stop: threading.Event | None) -> Iterator[bytes]:
        """Lines of the answers until the tree has ended. Raises: ProviderFailed: one is too long; AttemptStopped."""
        pending = bytearray()
        for chunk in self._chunks(stop):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                yield bytes(pending + end)
                pending.clear()
            pending += rest
            if len(pending) > MAX_ANSWER_BYTES:
                raise ProviderFailed(f"expected an answer of at most {MAX_ANSWER_BYTES} bytes, got more")

    def close(self) -> None:
        """End whatever is left, and wait for it."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.close()
        if not self._has_ended_within(_SUPERVISOR_GRACE_SECONDS):
            self._process.kill()
            self._process.wait()
        if self._process.returncode != 0:
            kill_marked(self._marker, _SUPERVISOR_GRACE_SECONDS)
        os.close(self._answers_fd)

    def _chunks(self, stop: threading.Event | None) -> Iterator[bytes]:
        order = memoryview(self._order)
        order_fd = self._process.stdin.fileno() if self._process.stdin else -1
        os.set_blocking(order_fd, False)
        poll = select.poll()
        poll.register(self._answers_fd, select.POLLIN)
        poll.register(order_fd, select.POLLOUT)
        while True:
            if stop is not None and stop.is_set():
                raise AttemptStopped
            if time.monotonic() > self._backstop:  # the supervisor should have ended it long ago
                return
            has_ended = self._process.poll() is not None
            ready = dict(poll.poll(0 if has_ended else _POLL_SECONDS * 1000))
            if order_fd in ready:
                order = order[_written(order_fd, order) :]
                if not order:
                    poll.unregister(order_fd)
            if self._answers_fd in ready:
                chunk = os.read(self._answers_fd, _CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk
            elif has_ended:
                return

    def _has_ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def _environment(folder: Path) -> dict[str, str]:
    own = {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1", ATTEMPT_VARIABLE: str(folder)}
    return {**provider_environment(), **own}


def _written(fd: int, data: memoryview) -> int:
    """Bytes that went out; all of them where nobody reads any more."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)
