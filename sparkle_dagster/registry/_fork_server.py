"""The process from which a platform's attempts are forked: what every attempt would import is loaded here, once.

    python -m sparkle_dagster.registry._fork_server <control fd>

Each message on the control socket names modules to load; one that carries a connection has a supervisor forked for it.
When nobody holds the other end of the control socket any more, this process ends, and everything below it has ended.
It has one thread, so a process forked from it finds no lock held, and is told of its parent's death.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from importlib import import_module

from sparkle_dagster.registry._process_tree import kill_descendants, signal_when_parent_ends
from sparkle_dagster.registry._supervision import adopt_and_wake, bury
from sparkle_dagster.registry._supervisor import supervise

_MESSAGE_BYTES = 64 * 1024
_ENDING_SECONDS = 20.0
_KILL_LIMIT_SECONDS = 10.0


class ForkServer:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._wake_fd = adopt_and_wake()
        self._supervisors: set[int] = set()
        self._tried: set[str] = set()

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_fd, select.POLLIN)
        is_wanted = True
        while is_wanted:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake_fd in ready:
                is_wanted = signal.SIGTERM not in os.read(self._wake_fd, _MESSAGE_BYTES)
                self._bury()
            if is_wanted and self._control.fileno() in ready:
                is_wanted = self._serve_next()
        self._end()

    def _serve_next(self) -> bool:
        """Load, and fork, for the next message; False where none will come."""
        data, fds, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 1)
        if not data:
            return False
        self._load(json.loads(data))
        if not fds:
            return True
        connection = socket.socket(fileno=fds[0])
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                self._control.close()
                signal.set_wakeup_fd(-1)
                os.close(self._wake_fd)
                signal_when_parent_ends(signal.SIGTERM)
                if os.getppid() == server:
                    supervise(connection)
                    os._exit(0)
            os._exit(1)
        self._supervisors.add(pid)
        connection.close()
        return True

    def _load(self, modules: list[str]) -> None:
        """Import what is new; whoever really needs a module that is broken will say so."""
        new = [name for name in modules if name not in self._tried]
        for name in new:
            self._tried.add(name)
            with contextlib.suppress(Exception):
                import_module(name)
        if new:
            gc.collect()
            gc.freeze()  # what is loaded stays, and its pages stay shared

    def _bury(self) -> None:
        """Take note of supervisors that ended; what one that was killed leaves behind is killed here."""
        for pid, status in bury():
            if pid in self._supervisors:
                self._supervisors.discard(pid)
                if status != 0:
                    kill_descendants(self._bury, _KILL_LIMIT_SECONDS, keep=self._supervisors)

    def _end(self) -> None:
        """Supervisors see by themselves that their callers are gone, and clean up."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while self._supervisors and time.monotonic() < deadline:
            time.sleep(0.02)
            self._bury()
        kill_descendants(self._bury, _KILL_LIMIT_SECONDS)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    if os.fork() != 0:
        os._exit(0)  # nobody's child: the platform has nothing to bury
    ForkServer(control).run()


if __name__ == "__main__":
    main()
