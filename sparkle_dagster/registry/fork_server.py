"""Starting an attempt's supervisor quickly: by a fork of a process that has the common modules loaded.

One such process serves this process and those that are forked from it (the steps of a run), and ends with the last of
them. Not here: residents, which outlive a run.
"""

import atexit
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from sparkle_dagster.settings import provider_environment

_MODULE = "sparkle_dagster.registry._fork_server"


class ForkServer:
    """Started at first use, and again when it was lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        atexit.register(self.close)

    def load_early(self, modules: Sequence[str]) -> None:
        """Have it load modules now, while this process does something else; the first attempt then need not wait."""
        threading.Thread(target=self._load_early, args=(modules,), daemon=True, name="fork server").start()

    def _load_early(self, modules: Sequence[str]) -> None:
        with self._lock:
            try:
                self._running().send(_message(modules))
            except OSError:  # whoever needs it starts it again, or says why it cannot
                self._forget()

    def connect(self, preload: Sequence[str] = ()) -> socket.socket:
        """A connection to a supervisor of its own."""
        own, other = socket.socketpair()
        with self._lock, other:
            try:
                socket.send_fds(self._running(), [_message(preload)], [other.fileno()])
            except OSError:  # it was killed
                self._forget()
                socket.send_fds(self._running(), [_message(preload)], [other.fileno()])
        return own

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _running(self) -> socket.socket:
        if self._control is None:
            self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with other:
                subprocess.run(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-m", _MODULE, str(other.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(other.fileno(),),
                    env={**provider_environment(), "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,  # the terminal's Ctrl-C is for the platform, which then ends the tree
                    check=True,
                )
        return self._control

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def _message(preload: Sequence[str]) -> bytes:
    return json.dumps(list(preload)).encode()


fork_server = ForkServer()
"""This process's own."""
