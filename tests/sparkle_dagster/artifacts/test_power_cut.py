"""The store's own code on a disk that forgets: nothing promised is lost, nothing partial seen, the next run ends."""

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sparkle_dagster.artifacts import _durable
from sparkle_dagster.artifacts.blobs import BlobArea
from sparkle_dagster.artifacts.chain import GenerationChain
from sparkle_dagster.artifacts.local_refs import LocalRefs
from tests.sparkle_dagster.artifacts.power_cuts import (
    Findings,
    changes_of_work,
    cut_power_everywhere,
    empty_disk,
    rotten_disk,
    used_disk,
)

BEFORE = [empty_disk, used_disk, rotten_disk]
WHOLE_RUN = 10**6


def cut_all(*, until_wrong: bool = False) -> Findings:
    """Every disk, every moment an earlier writer was killed at, every cut of the one that follows."""
    findings = Findings()
    for before in BEFORE:
        for killed_after in [*range(changes_of_work(before)), WHOLE_RUN]:
            cut_power_everywhere(before, killed_after, findings, until_wrong=until_wrong)
            if until_wrong and findings.wrong:
                return findings
    return findings


@pytest.mark.requirement("S45", "X8")
def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() -> None:
    findings = cut_all()
    assert findings.wrong == []
    assert findings.disks >= 30_000
    assert findings.cuts > 6000
    assert len(findings.checked) > 1000


def _sync_nothing(self: _durable.PrivateFile) -> None:
    """Forgets the sync of the file."""


def _publish_unsynced(area: str) -> Callable[..., bool]:
    """A publish that forgets the sync of the directory when it is in ``area``."""
    real = _durable.PrivateFile.publish

    def publish(self: _durable.PrivateFile, target: Path) -> bool:
        if f"/{area}/" not in str(target):
            return real(self, target)
        with suppress(FileExistsError):
            _durable.os.link(self.path, target)
            return True
        return False

    return publish


def _publish_synced_when_new(self: _durable.PrivateFile, target: Path) -> bool:
    try:
        _durable.os.link(self.path, target)
    except FileExistsError:
        return False
    _durable.sync_directory(target.parent)
    return True


def _publish_then_sync(self: _durable.PrivateFile, target: Path) -> bool:
    """With ``_sync_nothing``: the file is synced, too late."""
    with suppress(FileExistsError):
        _durable.os.link(self.path, target)
    _durable.sync_directory(target.parent)
    _durable.os.fsync(self.fd)
    return True


def _make_unsynced(path: Path) -> None:
    with suppress(FileExistsError):
        _durable.os.mkdir(path)


def _make_synced_when_new(path: Path) -> None:
    with suppress(FileExistsError):
        _durable.os.mkdir(path)
        _durable.sync_directory(path.parent)


def _make_missing_parents(path: Path) -> None:
    """As the store did once: a parent that is there is taken to be on the disk."""
    if not _durable._is_directory(path.parent):
        _make_missing_parents(path.parent)
    _durable.make_directory(path)


def _replace_unsynced(self: _durable.PrivateFile, target: Path) -> None:
    _durable.os.rename(self.path, target)


def _add_later(self: BlobArea, source: BinaryIO, limit_bytes: int | None = None) -> tuple[str, int]:
    """The bytes are kept in memory until a manifest that refers to them is committed."""
    data = source.read()
    _LATER.append(data)
    return hashlib.sha256(data).hexdigest(), len(data)


def _commit_first(self: GenerationChain, *arguments: Any) -> Any:
    manifest = _REAL_COMMIT(self, *arguments)
    while _LATER:
        _REAL_ADD(self._refs._blobs, io.BytesIO(_LATER.pop()))
    return manifest


_LATER: list[bytes] = []
_REAL_COMMIT, _REAL_ADD = GenerationChain.commit, BlobArea.add
_FILE = _durable.PrivateFile

MUTANTS: dict[str, list[tuple[Any, str, Any]]] = {
    "no sync of files": [(_FILE, "seal", _sync_nothing)],
    "files synced after the link": [(_FILE, "seal", _sync_nothing), (_FILE, "publish", _publish_then_sync)],
    "no sync of cas directories": [(_FILE, "publish", _publish_unsynced("cas"))],
    "no sync of refs directories": [(_FILE, "publish", _publish_unsynced("refs"))],
    "no sync of a link that was there": [(_FILE, "publish", _publish_synced_when_new)],
    "no sync of parents": [(_durable, "make_directory", _make_unsynced)],
    "no sync of a directory that was there": [(_durable, "make_directory", _make_synced_when_new)],
    "no sync of the root's parents that were there": [(_durable, "make_root", _make_missing_parents)],
    "no sync of names": [(_FILE, "replace", _replace_unsynced)],
    "manifest before its bytes": [
        (BlobArea, "add", _add_later),
        (LocalRefs, "_missing", lambda self, digests: []),
        (GenerationChain, "commit", _commit_first),
    ],
}


@pytest.mark.parametrize("steps", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_protocol_with_a_step_forgotten_is_caught(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[Any, str, Any]]
) -> None:
    """The simulation itself is tested."""
    for place, name, mutant in steps:
        monkeypatch.setattr(place, name, mutant)
    assert cut_all(until_wrong=True).wrong != []
    _LATER.clear()
