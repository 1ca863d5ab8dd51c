"""Killed writers, failing disks, and the order of the system calls that outlives a power cut."""

import errno
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ArtifactError, NoSpace
from sparkle_dagster.artifacts import _durable
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.sparkle_dagster.artifacts import crash_driver
from tests.sparkle_dagster.artifacts.faults import ERRORS, FailAt, Recorder, as_usual, broken_rules, watched
from tests.sparkle_dagster.artifacts.inspecting import visible_damage

PROJECT = Path(__file__).parents[3]
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@pytest.fixture(autouse=True)
def quick_disk() -> Iterator[None]:
    with watched(as_usual):
        yield


def error_of_work(root: Path, fault: FailAt) -> ArtifactError | None:
    """What the work ended with; None when the store did without the call. Anything untyped is raised."""
    try:
        with watched(fault):
            crash_driver.work(LocalArtifactStore(root))
    except ArtifactError as error:
        return error
    return None


@pytest.mark.requirement("S45", "X8")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_writer_killed_at_any_system_call_leaves_nothing_visible(tmp_path: Path, moment: str) -> None:
    """And what was acknowledged stays, and doing it again converges."""
    done = subprocess.run(
        [sys.executable, "-m", crash_driver.__name__, str(tmp_path), moment],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert report["kills"] > 60


@pytest.mark.parametrize("code", ERRORS)
def test_every_failing_system_call_is_typed_and_leaves_nothing_visible(tmp_path: Path, code: int) -> None:
    number, seen = 0, set()
    while True:
        number += 1
        store = LocalArtifactStore(tmp_path / str(number))
        old = store.put(io.BytesIO(crash_driver.OLD), "text/plain")
        store.commit(crash_driver.KEY, {"ref": old.model_dump(mode="json")}, attempt_id="old")
        fault = FailAt(number, code)
        error = error_of_work(store.root, fault)
        assert error is None or isinstance(error, NoSpace) == (code in NO_SPACE), error
        seen.add(fault.name)
        assert visible_damage(store) == []
        left = list((store.root / "ws/main/incoming").iterdir())
        assert left == [] or fault.name == "unlink", f"call {number}, {fault.name}: {left}"
        crash_driver.work(store)
        assert store.generations(crash_driver.KEY) == (1, 2)
        if not fault.name:
            break
    assert seen >= {"open", "flock", "write", "fchmod", "fsync", "link", "mkdir", "close", "rename", "unlink"}


@pytest.mark.parametrize("code", ERRORS)
@pytest.mark.parametrize("method", ["open", "fetch", "verify", "exists"])
def test_every_failing_system_call_of_a_read_is_typed(tmp_path: Path, method: str, code: int) -> None:
    store = LocalArtifactStore(tmp_path / "store")
    ref = store.put(io.BytesIO(crash_driver.OLD), "text/plain")
    (tmp_path / "scratch").mkdir()
    client = store.scoped([ref], tmp_path / "scratch")
    number, fault = 0, FailAt(1, code)
    while number == 0 or fault.name:
        number += 1
        fault = FailAt(number, code)
        with watched(fault):
            try:
                result = getattr(client, method)(ref)
            except ArtifactError:
                continue
        if method == "open":
            result.close()
    assert number > 1
    store.verify(ref)


def recorded(root: Path) -> Recorder:
    recorder = Recorder()
    with watched(recorder):
        crash_driver.work(LocalArtifactStore(root), recorder.acknowledge)
    return recorder


def test_what_is_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    first = recorded(tmp_path / "store")
    assert broken_rules(first.calls) == []
    assert broken_rules(recorded(tmp_path / "store").calls) == [], "a second time: everything exists"
    made = {path for name, path, _ in first.calls if name == "mkdir"}
    assert {str(path) for path in tmp_path.rglob("*") if path.is_dir()} <= made, "none was made behind its back"


def _nothing(*_: Any, **__: Any) -> None:
    """A step that was forgotten."""


def _publish_with_sync_when_new(self: _durable.PrivateFile, target: Path) -> bool:
    try:
        _durable.os.link(self.path, target)
    except FileExistsError:
        return False
    _durable.sync_directory(target.parent)
    return True


def _make_without_sync(path: Path) -> None:
    with suppress(FileExistsError):
        _durable.os.mkdir(path)


def _publish_without_sync(self: _durable.PrivateFile, target: Path) -> bool:
    with suppress(FileExistsError):
        _durable.os.link(self.path, target)
        return True
    return False


@pytest.mark.parametrize(
    ("place", "name", "mutant"),
    [
        (_durable, "sync_directory", _nothing),
        (_durable.PrivateFile, "seal", _nothing),
        (_durable.PrivateFile, "publish", _publish_without_sync),
        (_durable.PrivateFile, "publish", _publish_with_sync_when_new),
        (_durable, "make_directory", _make_without_sync),
        (_durable, "locked", nullcontext),
    ],
    ids=[
        "no directory sync",
        "no file sync",
        "no sync of the link",
        "no sync of a link that was there",
        "no sync of new directories",
        "no lock against a sweep",
    ],
)
def test_a_forgotten_step_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, mutant: Any
) -> None:
    """The checker itself is checked."""
    crash_driver.work(LocalArtifactStore(tmp_path))
    recorder = Recorder()
    with watched(recorder):
        monkeypatch.setattr(place, name, mutant)
        try:
            crash_driver.work(LocalArtifactStore(tmp_path), recorder.acknowledge)
        finally:
            monkeypatch.undo()
    assert broken_rules(recorder.calls) != []
