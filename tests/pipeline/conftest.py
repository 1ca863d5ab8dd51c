"""One real production, made once by the command line; tests look at it or rerun parts of it. And a real browser."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, make_project
from tests.system_packages import program

DESKTOP = {"width": 1280, "height": 900}
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass(frozen=True)
class Made:
    project: Project
    key: str
    run_id: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The short voice and the presenter, with a transcript, through every node."""
    project = make_project(tmp_path_factory.mktemp("made") / "project")
    samples = project.root / "samples"
    answer = project.sparkle(
        "run", samples / "voice_short.wav", "--transcript", samples / "voice_short.txt", "--profile", "draft"
    )
    assert answer["success"], answer
    return Made(project, answer["production"], answer["run_id"])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Fresh: nothing was ever run in it."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program("chromium"), args=BROWSER_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=DESKTOP)
    opened = context.new_page()
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.on("console", lambda said: opened.problems.append(said.text) if said.type == "error" else None)
    yield opened
    assert opened.problems == []
    context.close()
