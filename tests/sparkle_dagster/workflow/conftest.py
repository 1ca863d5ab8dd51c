"""Workflow files written by a test, and the tasks that the installed packages bring."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from contracts.tasks import Task
from sparkle_dagster.workflow import Workflow, load_workflow

Tasks = dict[str, type[Task[Any, Any]]]
Load = Callable[..., Workflow]


@pytest.fixture(scope="session")
def tasks() -> Tasks:
    return {point.name: point.load() for point in entry_points(group="sparkle.tasks")}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: Tasks) -> Load:
    """Load text as ``workflow.yaml`` in the working directory, with more tasks where a test brings some."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str, more_tasks: Tasks | None = None, name: str = "workflow.yaml") -> Workflow:
        Path(name).write_text(text, encoding="utf-8")
        return load_workflow(Path(name), {**tasks, **(more_tasks or {})})

    return load_text
