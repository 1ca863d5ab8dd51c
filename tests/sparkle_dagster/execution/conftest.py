"""A workspace of the shipped configuration in a fresh folder, and a way to drop files into its inbox."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparkle_dagster.execution.arrivals import Arrival
from sparkle_dagster.execution.commit import commit_outcome
from sparkle_dagster.execution.intake import Admission, admit, move_to_admitted
from sparkle_dagster.execution.node_run import NodeOutcome
from sparkle_dagster.workspace import Workspace, load_workspace
from tests.project import SOURCE, make_project

SETTLED = "settle_s: 0"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("SPARKLE_HOME", "SPARKLE_WORKSPACE", "SPARKLE_EXECUTOR", "SPARKLE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    project = make_project(tmp_path / "project")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", SETTLED)
    project.edit("configs/tool_registry.yaml", "max_bytes: 4GiB", "max_bytes: 1MiB")
    workspace = load_workspace(project.root)
    workspace.inbox.mkdir(parents=True)
    return workspace


@pytest.fixture
def drop(workspace: Workspace) -> Callable[..., Path]:
    """Put a file into the inbox: bytes, text, or the name of a shipped sample."""

    def put(name: str, content: bytes | str = b"", *, sample: str = "") -> Path:
        path = workspace.inbox / name
        data = (SOURCE / "samples" / sample).read_bytes() if sample else content
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return put


def commit(workspace: Workspace, production: str, outcome: NodeOutcome) -> None:
    """What the IO manager does."""
    commit_outcome(workspace.store, "upload", production, outcome, "test")


def take_in(workspace: Workspace, arrival: Arrival, *, move: bool = True) -> NodeOutcome:
    """What the upload asset does for one arrival."""
    outcome = admit(Admission(arrival.production_key, arrival.files, "run", "1"), workspace)
    commit(workspace, arrival.production_key, outcome)
    if move:
        move_to_admitted(arrival.files, arrival.production_key, workspace)
    return outcome
