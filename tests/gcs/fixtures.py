"""Fixtures of the bucket store: one emulated service for a session, a prefix of its own for each test."""

import gc
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkle_dagster.artifacts.gcs import GcsArtifactStore
from tests.gcs.rig import Rig, rig


@pytest.fixture(scope="session")
def all_day_service() -> Iterator[Rig]:
    with rig() as made:
        yield made


@pytest.fixture
def service(all_day_service: Rig) -> Iterator[Rig]:
    """In order; the next test finds it so too."""
    yield all_day_service
    all_day_service.proxy.calm()
    with warnings.catch_warnings():  # the client leaves a broken connection to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def bucket_store(service: Rig, tmp_path: Path) -> GcsArtifactStore:
    return service.store(f"t/{uuid.uuid4().hex}", tmp_path / "copies")
