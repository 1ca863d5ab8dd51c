"""A client of one workspace gets nothing out of another, whatever it is asked for."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ArtifactMissing
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts.isolation import escapes_of


@pytest.mark.requirement("S61", "X7")
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_random_operations_find_no_escape(seed: int) -> None:
    with TemporaryDirectory() as folder:
        assert escapes_of(Path(folder), 500, seed) == []


@pytest.mark.system
@pytest.mark.timeout(3600)
def test_a_million_random_operations_find_no_escape(tmp_path: Path) -> None:
    assert escapes_of(tmp_path, 1_000_000) == []


def test_a_client_that_takes_any_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The twin: the first version of ``put`` took a neighbour's file by its path, or through a linked folder."""
    monkeypatch.setattr(BlobArea, "_refuse_foreign", lambda self, source, place: None)
    assert escapes_of(tmp_path, 5000) != []


def test_a_file_of_another_workspace_is_not_there(tmp_path: Path) -> None:
    """Also of a store at another root, and through a link to its folder."""
    neighbour = LocalArtifactStore(tmp_path / "elsewhere", "neighbour")
    secret = neighbour.layout.blob(neighbour.put(io.BytesIO(b"secret"), "text/plain").digest)
    own = LocalArtifactStore(tmp_path / "store", "own")
    (tmp_path / "link").symlink_to(secret.parent)
    for path in (secret, tmp_path / "link" / secret.name, secret.parent / ".." / secret.parent.name / secret.name):
        with pytest.raises(ArtifactMissing, match="nothing there"):
            own.put(path, "text/plain")
    copy = own.fetch(own.put(io.BytesIO(b"mine"), "text/plain"))
    assert own.put(copy, "text/plain").size_bytes == 4
