"""Objects of a bucket become uploads, each generation once, however many are listed and however a tick ends."""

import shutil
import sqlite3
import uuid
from itertools import count
from pathlib import Path

import pytest

from contracts.errors import ArtifactError
from sparkle_dagster.execution import bucket_inbox
from sparkle_dagster.execution.arrivals import look
from sparkle_dagster.execution.bucket_inbox import BucketInbox
from sparkle_dagster.workspace import load_workspace
from tests.gcs.fixtures import all_day_service, service
from tests.gcs.proxy import OPERATIONS
from tests.gcs.rig import EMULATED, Rig, rig
from tests.gcs.vast import ManyObjects
from tests.project import make_project

__all__ = ["all_day_service", "service"]

PAGE = 5


@pytest.fixture
def prefix() -> str:
    return f"drop/{uuid.uuid4().hex}"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def watching(
    service: Rig, prefix: str, inbox: Path, *, budget_seconds: float = 60, max_bytes: int = 10**9
) -> BucketInbox:
    return BucketInbox(service.place(prefix), inbox, max_bytes=max_bytes, budget_seconds=budget_seconds, page_size=PAGE)


def files_in(inbox: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in inbox.iterdir() if path.is_file()}


@pytest.mark.requirement("U7")
def test_a_generation_is_fetched_once(service: Rig, prefix: str, inbox: Path) -> None:
    service.write(prefix, "voice.wav", b"first")
    service.write(prefix, "voice.txt", b"words")
    assert watching(service, prefix, inbox).fetch_new().names == ["voice.txt", "voice.wav"]
    assert files_in(inbox) == {"voice.wav": b"first", "voice.txt": b"words"}
    shutil.rmtree(inbox / "admitted", ignore_errors=True)
    (inbox / "voice.wav").unlink()  # it was admitted
    again = watching(service, prefix, inbox).fetch_new()
    assert (again.names, again.is_complete) == ([], True)
    service.write(prefix, "voice.wav", b"corrected")
    assert watching(service, prefix, inbox).fetch_new().names == ["voice.wav"]
    assert files_in(inbox)["voice.wav"] == b"corrected"


def test_what_is_no_upload_stays_where_it_is(service: Rig, prefix: str, inbox: Path) -> None:
    names = (".hidden.wav", "notes.pdf", "a/inner.wav", "x" * 220 + ".wav", "line\nbreak.wav", "big.wav", "good.wav")
    for name in names:
        service.write(prefix, name, b"x" * (200 if name == "big.wav" else 10))
    fetched = watching(service, prefix, inbox, max_bytes=100).fetch_new()
    assert fetched.names == ["good.wav"]
    assert files_in(inbox) == {"good.wav": b"x" * 10}
    assert [problem.split(":")[0] for problem in fetched.problems] == ["big.wav", "'line\\nbreak.wav'", f"'{'x' * 80}'"]
    assert watching(service, prefix, inbox, max_bytes=100).fetch_new().problems == []


def test_a_tick_ends_with_its_budget_and_the_next_goes_on(service: Rig, prefix: str, inbox: Path) -> None:
    for number in range(12):
        service.write(prefix, f"voice-{number:02}.wav", str(number).encode())
    sizes: list[int] = []
    for _ in range(3):
        before = service.proxy.requests.get("list", 0)
        fetched = watching(service, prefix, inbox, budget_seconds=0).fetch_new()
        assert service.proxy.requests["list"] - before == 1
        sizes.append(len(fetched.names))
    assert sizes == [5, 4, 3]  # a page begins with the last name of the one before
    assert len(files_in(inbox)) == 12
    assert watching(service, prefix, inbox, budget_seconds=0).fetch_new().is_complete
    service.write(prefix, "a first one.wav", b"x")
    assert watching(service, prefix, inbox, budget_seconds=0).fetch_new().names == ["a first one.wav"]


def test_listing_costs_pages_and_known_objects_nothing_else(service: Rig, prefix: str, inbox: Path) -> None:
    for number in range(12):
        service.write(prefix, f"voice-{number:02}.wav", b"x")
    watching(service, prefix, inbox).fetch_new()
    service.write(prefix, "voice-05.wav", b"new")
    before = dict(service.proxy.requests)
    watching(service, prefix, inbox).fetch_new()
    spent = {name: count - before.get(name, 0) for name, count in service.proxy.requests.items()}
    assert {name: spent[name] for name in OPERATIONS if spent.get(name)} == {"list": 3, "download": 1}


@pytest.mark.requirement("U7")
def test_a_hundred_thousand_known_objects_cost_their_pages_alone(prefix: str, inbox: Path) -> None:
    with rig(lambda port: ManyObjects(port, count=100_000, voices={50_000: 1})) as many:
        proxy = many.proxy
        assert isinstance(proxy, ManyObjects)

        def spent_by_a_walk(budget_seconds: float) -> tuple[list[str], int, dict[str, int]]:
            """What was fetched, in how many ticks, by which requests."""
            proxy.requests.clear()
            names: list[str] = []
            for tick in count(1):
                watched = BucketInbox(many.place(prefix), inbox, max_bytes=10, budget_seconds=budget_seconds)
                fetched = watched.fetch_new()
                names += fetched.names
                if fetched.is_complete:
                    requests = {name: number for name, number in proxy.requests.items() if name in OPERATIONS}
                    return names, tick, requests
            raise AssertionError

        assert spent_by_a_walk(3600) == (["v50000.wav"], 1, {"list": 100, "download": 1})
        proxy.voices[50_000] = 2
        assert spent_by_a_walk(0) == (["v50000.wav"], 102, {"list": 102, "download": 1})
        assert spent_by_a_walk(3600) == ([], 1, {"list": 100})


def test_a_large_file_is_fetched_over_several_ticks(
    service: Rig, prefix: str, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_inbox, "_PIECE_BYTES", 1000)
    body = bytes(range(256)) * 10
    service.write(prefix, "long.wav", body)
    ticks = 1
    while not watching(service, prefix, inbox, budget_seconds=0).fetch_new().names:
        assert files_in(inbox) == {}
        ticks += 1
    assert ticks == 3
    assert files_in(inbox) == {"long.wav": body}


def test_a_flipped_byte_never_reaches_the_inbox(service: Rig, prefix: str, inbox: Path) -> None:
    service.write(prefix, "voice.wav", b"x" * 1000)
    fault = service.proxy.arm("download", "flipped")
    with pytest.raises(ArtifactError, match="damaged on its way"):
        watching(service, prefix, inbox).fetch_new()
    assert fault.fired == 1
    assert files_in(inbox) == {}
    assert watching(service, prefix, inbox).fetch_new().names == ["voice.wav"]
    assert files_in(inbox) == {"voice.wav": b"x" * 1000}


@pytest.mark.requirement("U7")
def test_a_crash_before_the_ledger_admits_once(
    service: Rig, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object comes twice, the production is one."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.endpoint)
    project = make_project(tmp_path / "project")
    project.edit(
        "configs/tool_registry.yaml",
        "settle_s: 5",
        f"settle_s: 0, tick_s: 1h, kind: gcs, bucket: {EMULATED}, prefix: {prefix}",
    )
    project.edit("configs/tool_registry.yaml", "uploads: {kind: local, ", "uploads: {")
    workspace = load_workspace(project.root)
    service.write(prefix, "voice.wav", (project.root / "samples/voice_short.wav").read_bytes())
    assert workspace.bucket_inbox is not None
    assert workspace.bucket_inbox.fetch_new().names == ["voice.wav"]
    (first,) = look(workspace, [])
    with sqlite3.connect(workspace.inbox / ".bucket/ledger.sqlite") as ledger:
        ledger.execute("delete from seen")
    assert workspace.bucket_inbox.fetch_new().names == ["voice.wav"]
    (again,) = look(workspace, [first.production_key])
    assert (again.production_key, again.run_key) == (first.production_key, first.run_key)
