"""One workspace for all cases of a module: they share a store, as uploads of one installation do."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkle_dagster.workspace import load_workspace
from tests.hostile.door import Door
from tests.project import make_project


@contextmanager
def open_door(folder: Path, edits: Mapping[str, str]) -> Iterator[Door]:
    """A door of its own; ``edits`` are made to the tool registry."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPARKLE_HOME", "SPARKLE_WORKSPACE", "SPARKLE_EXECUTOR", "SPARKLE_MODELS"):
            patch.delenv(name, raising=False)
        project = make_project(folder / "project")
        for old, new in {"settle_s: 5": "settle_s: 0", **edits}.items():
            project.edit("configs/tool_registry.yaml", old, new)
        workspace = load_workspace(project.root)
        workspace.inbox.mkdir(parents=True)
        (folder / "made").mkdir()
        yield Door(workspace, folder / "made")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("hostile"), {}) as opened:
        yield opened


class CountingServer:
    """A loopback server that answers nothing and counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.visits = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[CountingServer]:
    server = CountingServer()
    yield server
    server.close()
