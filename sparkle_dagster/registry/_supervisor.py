"""The process between the platform and one attempt of a provider: it starts the worker and leaves nothing behind.

When the worker has ended, the deadline has passed or the caller is gone, every descendant is killed, and the last line
on the connection says how it was.
"""

import os
import shutil
import socket
import time

from sparkle_dagster.registry._bounded_log import LOG_NAME, BoundedLog
from sparkle_dagster.registry._child import work
from sparkle_dagster.registry._supervision import Supervision, read_call, say_end, say_started
from sparkle_dagster.registry.wire import ATTEMPT_VARIABLE
from sparkle_dagster.settings import become_environment


def supervise(connection: socket.socket) -> None:
    """Serve the one call of a connection, in a process that was forked for it."""
    supervision = Supervision()
    received = read_call(connection)
    if received is None:
        return
    call, order = received
    deadline = time.monotonic() + call.timeout_seconds
    say_started(connection, call.environment[ATTEMPT_VARIABLE])
    os.chdir(call.folder)

    def run() -> None:
        become_environment(call.environment)
        work(order, connection.fileno(), call.folder)

    log = BoundedLog(call.folder / LOG_NAME)
    supervision.start_worker(run)
    reason = supervision.watch(connection, deadline, log, None)
    left = supervision.kill(log)
    log.close()
    say_end(connection, supervision.end_line(reason, left))
    if reason == "stopped":
        shutil.rmtree(call.folder, ignore_errors=True)
