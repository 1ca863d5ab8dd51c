"""`sparkle dev`: the Dagster UI and one daemon, on a home that is ready."""

import signal
import subprocess
import sys
from types import FrameType

from sparkle_dagster.cli.output import console


def dev() -> None:
    """Open the Dagster UI and watch the inbox; ends with Ctrl-C."""
    from sparkle_dagster.defs.home import only_daemon, prepare_home
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    service = workspace.registry.settings.services.webserver
    with only_daemon(workspace.settings):
        prepare_home(workspace)
        console().print(f"Dagster UI   http://{service.host}:{service.port}")
        console().print(f"Inbox        {workspace.inbox}   drop a voice here (and a face, a transcript: same stem)")
        console().print("Stop         Ctrl-C")
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"]
        command += ["-h", service.host, "-p", str(service.port), "--log-level", "warning"]
        # A shell that starts us in the background ignores Ctrl-C for us; Dagster needs it to stop.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        child = subprocess.Popen(command, cwd=workspace.settings.project)  # noqa: S603 - our own command line

        def stop(_signal: int, _frame: FrameType | None) -> None:
            child.send_signal(signal.SIGINT)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        raise SystemExit(child.wait())
