"""Fixtures that every part uses: the shipped samples, a real store in a fresh folder, a provider's context."""

import logging
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from sparkle_dagster.artifacts.local import LocalArtifactStore

PROJECT = Path(__file__).parent.parent
MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".png": "image/png",
    ".txt": "text/plain",
    ".mp4": "video/mp4",
    ".srt": "text/plain",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A system test that is skipped has failed: who asked for it has what it needs, or is to be told."""
    report = yield
    if report.skipped and item.get_closest_marker("system"):
        report.outcome = "failed"
    return report


@pytest.fixture
def samples() -> Path:
    """``voice.wav voice.txt voice_short.wav voice_short.txt presenter.png``."""
    return PROJECT / "samples"


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "store")


@pytest.fixture
def sparkle_store(store: LocalArtifactStore) -> LocalArtifactStore:
    """The conformance kit's store is the one that these tests put into."""
    return store


@pytest.fixture
def put(store: LocalArtifactStore) -> Callable[[Path], ArtifactRef]:
    """Store a file as an artifact."""

    def put_file(path: Path) -> ArtifactRef:
        return store.put(path, MEDIA_TYPES[path.suffix])

    return put_file


@pytest.fixture
def context(store: LocalArtifactStore, tmp_path: Path) -> ProviderContext:
    temp_dir = tmp_path / "work"
    temp_dir.mkdir()
    return ProviderContext(logger=logging.getLogger("provider"), artifacts=store, temp_dir=temp_dir)
