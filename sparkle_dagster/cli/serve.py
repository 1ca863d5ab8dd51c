"""`sparkle serve`: the status service and the mover of events, in a process of its own."""

import json
import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.base import readable
from contracts.errors import ConfigError
from contracts.tool_registry import StatusService
from sparkle_dagster.cli.output import console

ADDRESS_FILE = "service.json"


def serve(
    host: Annotated[str | None, typer.Option(help="Instead of the registry's, such as a container's name.")] = None,
    port: Annotated[int | None, typer.Option(help="Instead of the registry's; 0: any free one.")] = None,
    token: Annotated[str | None, typer.Option(help="env:NAME, where the token stands that callers must show.")] = None,
) -> None:
    """Answer what is going on: /status, /metrics, the pages of productions, and starts and reruns for programs.

    It also delivers node events to the sinks. `sparkle dev` starts it; ends with Ctrl-C.
    """
    import uvicorn

    from sparkle_dagster.defs.home import prepare_home
    from sparkle_dagster.observability.delivery import movers
    from sparkle_dagster.observability.service.app import StatusApp
    from sparkle_dagster.observability.service.guard import required_token
    from sparkle_dagster.observability.service.intake import forget_old
    from sparkle_dagster.observability.service.launching import Launcher
    from sparkle_dagster.observability.service.watch import Watch
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    settings = workspace.registry.settings
    given = {"host": host, "port": port, "token": {"secret": token} if token else None}
    service = _service(settings.services.status, {name: value for name, value in given.items() if value is not None})
    if service is None:
        raise ConfigError(
            "expected settings.services.status with a host and a port, found none; add it",
            file="configs/tool_registry.yaml",
        )
    token = required_token(service)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    instance = prepare_home(workspace)
    forget_old(workspace)
    watch = Watch(workspace, instance)
    watch.look()
    home = workspace.settings.home
    launcher = Launcher(instance, workspace.settings.project, home / "logs", settings.lanes.cpu.slots)
    app = StatusApp(watch, launcher).asgi(token)
    stop = threading.Event()
    carriers = movers(settings.sinks, watch.spool, watch.spool.folder.parent, workspace.settings.resolve)
    works = [watch.run, *(mover.run for mover in carriers)]
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    config = uvicorn.Config(app, host=service.host, port=service.port, log_level="warning", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    host, port = socket.getsockname()[:2]
    with _address(home, {"url": f"http://{host}:{port}", "pid": os.getpid()}):
        console().print(f"Status       http://{host}:{port}")
        try:
            server.run(sockets=[socket])
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=2)  # a sink that hangs does not keep the service: its events wait in the spool


def _service(configured: StatusService | None, given: dict[str, Any]) -> StatusService | None:
    """As the registry has it, with what the command line says. Raises: ConfigError: that cannot be."""
    if not given:
        return configured
    try:
        return StatusService.model_validate({**(configured.model_dump() if configured else {}), **given})
    except ValueError as error:
        raise ConfigError(f"sparkle serve: {readable(error)}") from error


@contextmanager
def _address(home: Path, document: dict[str, Any]) -> Generator[None]:
    """Where clients on this machine find the service."""
    path = home / ADDRESS_FILE
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(document), encoding="utf-8")
    temporary.replace(path)
    try:
        yield
    finally:
        if path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("pid") == os.getpid():
            path.unlink()
