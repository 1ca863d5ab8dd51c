"""`sparkle dev`: the Dagster UI and one daemon, on a home that is ready."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from contracts.errors import ConfigError
from contracts.tool_registry import Service
from sparkle_dagster.cli.output import console

QUIET = ("-W", "ignore:Function `dev_command` is superseded")
"""`dg dev` wants a tool that only developers install."""
ENDING_SECONDS = 30.0
"""In which the resident processes of warm providers end, unless they are busy."""
PROPER_START_SECONDS = 20
"""Services that end sooner have a reason that another start would not mend, such as a port that is taken."""


def dev() -> None:
    """Open the Dagster UI and watch the inbox; ends with Ctrl-C."""
    from sparkle_dagster.defs.home import only_daemon, prepare_home
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    service = workspace.registry.settings.services.webserver
    with only_daemon(workspace.settings):
        prepare_home(workspace)
        _require_free(service)
        status = workspace.registry.settings.services.status
        if status is not None:
            _require_free(status)
        console().print(f"Dagster UI   http://{service.host}:{service.port}")
        console().print(f"Inbox        {workspace.inbox}   drop a voice here (and a face, a transcript: same stem)")
        console().print("Stop         Ctrl-C")
        command = [sys.executable, *QUIET, "-m", "dagster", "dev", "-w", "workspace.yaml"]
        command += ["-h", service.host, "-p", str(service.port), "--log-level", "warning"]
        serve = [sys.executable, "-m", "sparkle_dagster.cli", "serve"]
        # A shell that starts us in the background ignores Ctrl-C for us; Dagster needs it to stop.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        project = workspace.settings.project
        try:
            with _kept(serve, project) if status is not None else nullcontext():
                raise SystemExit(_keep_running(command, project))
        finally:
            for resident in workspace.registry.residents.end(ENDING_SECONDS):
                console().print(f"resident {resident.provider} ends when the run that uses it has ended")


def _require_free(service: Service) -> None:
    """Raises: ConfigError: something else listens there already."""
    try:
        with socket.create_server((service.host, service.port)):
            return
    except OSError as error:
        raise ConfigError(
            f"expected {service.host}:{service.port} to be free, found it taken ({error.strerror}); "
            "stop what uses it, or change the port in settings.services",
            file="configs/tool_registry.yaml",
        ) from error


@contextmanager
def _kept(command: list[str], project: Path) -> Generator[None]:
    """A service beside the others, started again when it is lost."""
    stop = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not stop.is_set():
            started = time.monotonic()
            child = subprocess.Popen(command, cwd=project)  # noqa: S603 - our own command line
            running[:] = [child]
            child.wait()
            if time.monotonic() - started < PROPER_START_SECONDS:
                return
            if not stop.is_set():
                console().print("[yellow]the status service was lost[/]; it is started again")

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        for child in running:
            child.terminate()
        keeper.join(timeout=10)


def _keep_running(command: list[str], project: Path) -> int:
    """Dagster's services end together when one of them is lost: start them again, until asked to stop.

    Returns:
        exit code of services that were told to stop, or that ended before they had properly started.
    """
    child = subprocess.Popen(command, cwd=project)  # noqa: S603 - our own command line
    is_stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True
        child.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while True:
        started = time.monotonic()
        code = child.wait()
        if is_stopping or time.monotonic() - started < PROPER_START_SECONDS:
            return code
        console().print("[yellow]the UI or the daemon was lost[/]; both are started again")
        child = subprocess.Popen(command, cwd=project)  # noqa: S603 - our own command line
        if is_stopping:
            child.send_signal(signal.SIGINT)
