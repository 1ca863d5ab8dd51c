"""Files of two gigabytes: what a process needs in memory for them does not grow with them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gcs.rig import rig
from tests.gcs.vast import LargeObjects
from tests.sparkle_dagster.artifacts.large_file import MIB, STEPS, measured

SIZE_BYTES = 2 * 1024 * MIB
BOUND_MIB = 64
"""Blocks that are read and hashed, a piece of 8 MiB of an upload and its copies on their way."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Emptied at once: pytest would keep gigabytes."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture
def large(folder: Path) -> Path:
    path = folder / "large"
    with path.open("wb") as stream:
        stream.truncate(SIZE_BYTES)
    return path


@pytest.mark.requirement("S35", "S37")
def test_a_disk_takes_two_gigabytes_in_bounded_memory(folder: Path, large: Path) -> None:
    found = measured(large, folder / "store")
    assert {step: found[step]["memory_mib"] for step in STEPS if found[step]["memory_mib"] > BOUND_MIB} == {}


@pytest.mark.requirement("S35", "S37")
def test_a_bucket_takes_two_gigabytes_in_bounded_memory(folder: Path, large: Path) -> None:
    (folder / "objects").mkdir()
    with rig(lambda port: LargeObjects(port, folder=folder / "objects")) as service:
        found = measured(large, folder / "store", service.proxy.port)
        assert sum(path.stat().st_size for path in (folder / "objects").iterdir()) == SIZE_BYTES
    assert {step: found[step]["memory_mib"] for step in STEPS if found[step]["memory_mib"] > BOUND_MIB} == {}


def test_a_file_that_is_read_whole_is_noticed(folder: Path, large: Path) -> None:
    assert measured(large, folder / "store", whole=True)["whole"]["memory_mib"] > SIZE_BYTES / MIB / 2
