"""The storage emulator as a process of its own, on a free port, with its objects in memory."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PROGRAM = """
import sys
from http import server

# One request at a time would make every connection that is kept alive block all others.
server.HTTPServer = server.ThreadingHTTPServer
from gcp_storage_emulator.server import create_server

running = create_server("localhost", 0, in_memory=True)
running.start()
while running._api._httpd is None:
    pass
print(running._api._httpd.server_address[1], flush=True)
sys.stdin.read()
running.stop()
"""


@contextmanager
def emulator() -> Iterator[int]:
    """Runs an emulator; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
