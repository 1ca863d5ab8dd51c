"""Every event reaches every sink exactly once, or is counted: whatever the sink does meanwhile."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from contracts.events import NodeEvent
from contracts.tool_registry import BigQuerySink
from sparkle_dagster.observability.bigquery_sink import COLUMNS, BigQueryTable
from sparkle_dagster.observability.delivery import SinkMover, read_cursor
from sparkle_dagster.observability.sinks import JsonLinesFile, line_for_people
from sparkle_dagster.observability.spool import EventSpool, SpooledEvent
from tests.faults.processes import wait_for
from tests.sparkle_dagster.observability.bigquery_server import State, account_file, bigquery_server
from tests.sparkle_dagster.observability.events import event

MANY = 10_000
KILLED_MOVER = """
import sys, threading
from pathlib import Path
from sparkle_dagster.observability.delivery import SinkMover
from sparkle_dagster.observability.sinks import JsonLinesFile
from sparkle_dagster.observability.spool import EventSpool
folder = Path(sys.argv[1])
SinkMover("jsonl", JsonLinesFile(folder / "out.jsonl"), EventSpool(folder / "spool"), folder).run(threading.Event())
"""


@pytest.fixture
def spool(tmp_path: Path) -> EventSpool:
    return EventSpool(tmp_path / "spool")


@pytest.fixture
def bigquery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[State]:
    """The server, and Google's client told where it is and who it is."""
    with bigquery_server() as state:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account_file(tmp_path, state)))
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", state.url)
        yield state


def table_of(tmp_path: Path, spool: EventSpool) -> SinkMover:
    sink = BigQueryTable(BigQuerySink(kind="bigquery", project="studio", dataset="watch"))
    return SinkMover("bigquery", sink, spool, tmp_path)


def fill(spool: EventSpool, first: int, last: int) -> None:
    for start in range(first, last + 1, 250):
        spool.append(event(number) for number in range(start, min(start + 250, last + 1)))


def drain(mover: SinkMover) -> None:
    while mover.deliver_once():
        pass


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["event_id"] for line in path.read_text().splitlines()]


@pytest.mark.requirement("S40")
def test_bigquery_down_for_the_middle_third_gets_all_events_once(
    tmp_path: Path, spool: EventSpool, bigquery: State
) -> None:
    mover = table_of(tmp_path, spool)
    third = MANY // 3
    fill(spool, 1, third)
    drain(mover)
    assert len(bigquery.rows) == third
    bigquery.mode = "down"
    fill(spool, third + 1, 2 * third)
    drain(mover)
    waiting = read_cursor(tmp_path, "bigquery")
    assert (waiting.number, len(bigquery.rows)) == (third, third)
    assert "503" in waiting.error
    assert mover.pause_seconds > 0
    bigquery.mode = "deaf"  # takes them, and its answer is lost: they will be sent again
    drain(mover)
    assert len(bigquery.rows) > third
    bigquery.mode = "up"
    fill(spool, 2 * third + 1, MANY)
    drain(mover)
    assert bigquery.rows.keys() == {f"e{number}" for number in range(1, MANY + 1)}
    cursor = read_cursor(tmp_path, "bigquery")
    assert (cursor.delivered, cursor.dropped, cursor.refused, cursor.error) == (MANY, 0, 0, "")


def test_bigquery_table_is_made_with_every_field_of_an_event(
    tmp_path: Path, spool: EventSpool, bigquery: State
) -> None:
    spool.append([event(1, cpu_s=1.5, failed_over=("wav2lip",))])
    mover = table_of(tmp_path, spool)
    drain(mover)
    assert bigquery.schema.keys() == COLUMNS.keys() == NodeEvent.model_fields.keys()
    assert bigquery.rows["e1"]["artifacts"][0]["media_type"] == "video/mp4"
    assert bigquery.rows["e1"]["cpu_s"] == 1.5
    assert "peak_memory_mb" not in bigquery.rows["e1"]
    spool.append([event(2)])
    drain(table_of(tmp_path, spool))  # another process finds the table there
    assert set(bigquery.rows) == {"e1", "e2"}


def test_row_that_bigquery_never_takes_is_set_aside_and_stops_no_other(
    tmp_path: Path, spool: EventSpool, bigquery: State
) -> None:
    spool.append([event(1), event(2, message="poison"), event(3)])
    drain(table_of(tmp_path, spool))
    assert set(bigquery.rows) == {"e1", "e3"}
    cursor = read_cursor(tmp_path, "bigquery")
    assert (cursor.delivered, cursor.refused) == (2, 1)
    assert ids_in(tmp_path / "refused" / "bigquery.jsonl") == ["e2"]


def test_file_that_cannot_be_written_for_the_middle_third_gets_all_events_once(
    tmp_path: Path, spool: EventSpool
) -> None:
    path = tmp_path / "there" / "out.jsonl"
    mover = SinkMover("jsonl", JsonLinesFile(path), spool, tmp_path)
    third = MANY // 3
    fill(spool, 1, third)
    drain(mover)
    path.parent.rename(tmp_path / "gone")
    path.parent.write_text("a file where the folder was")
    fill(spool, third + 1, 2 * third)
    drain(mover)
    assert read_cursor(tmp_path, "jsonl").number == third
    path.parent.unlink()
    (tmp_path / "gone").rename(path.parent)
    fill(spool, 2 * third + 1, MANY)
    drain(mover)
    assert ids_in(path) == [f"e{number}" for number in range(1, MANY + 1)]


def test_mover_killed_between_the_sink_and_its_cursor_repeats_nothing(tmp_path: Path, spool: EventSpool) -> None:
    fill(spool, 1, 1200)
    path = tmp_path / "out.jsonl"
    mover = SinkMover("jsonl", JsonLinesFile(path), spool, tmp_path)
    mover.deliver_once()
    before = (tmp_path / "cursors" / "jsonl.json").read_text()
    mover.deliver_once()
    (tmp_path / "cursors" / "jsonl.json").write_text(before)  # as if it was killed before it wrote its cursor
    with path.open("a") as stream:
        stream.write('{"event_id": "e1001", "no')  # and had begun the next batch
    drain(SinkMover("jsonl", JsonLinesFile(path), spool, tmp_path))
    assert ids_in(path) == [f"e{number}" for number in range(1, 1201)]


def test_mover_killed_at_any_moment_repeats_nothing(tmp_path: Path, spool: EventSpool) -> None:
    fill(spool, 1, 5000)
    path = tmp_path / "out.jsonl"
    for size in (1, 500_000, 1_500_000):
        process = subprocess.Popen([sys.executable, "-c", KILLED_MOVER, str(tmp_path)])
        wait_for("it writes", lambda size=size: path.exists() and path.stat().st_size >= size, every=0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
    drain(SinkMover("jsonl", JsonLinesFile(path), spool, tmp_path))
    assert ids_in(path) == [f"e{number}" for number in range(1, 5001)]


class Recorder:
    """A sink of the test's: fails, hangs or takes what it gets."""

    def __init__(self, trouble: Callable[[], None] = lambda: None) -> None:
        self.taken: list[str] = []
        self._trouble = trouble

    def deliver(self, events: Sequence[SpooledEvent]) -> Sequence[SpooledEvent]:
        self._trouble()
        self.taken += [item.event.event_id for item in events]
        return ()


@pytest.mark.requirement("S40")
def test_hanging_sink_holds_up_no_other(tmp_path: Path, spool: EventSpool) -> None:
    stop, entered, released = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        released.wait(60)

    stuck, well = Recorder(hang), Recorder()
    movers = [SinkMover("stuck", stuck, spool, tmp_path), SinkMover("well", well, spool, tmp_path)]
    threads = [threading.Thread(target=mover.run, args=(stop,), daemon=True) for mover in movers]
    fill(spool, 1, 10)
    for thread in threads:
        thread.start()
    try:
        assert entered.wait(60)
        wait_for("the other has all", lambda: len(well.taken) == 10)
        assert stuck.taken == []
    finally:
        stop.set()
        released.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.requirement("S40")
def test_events_beyond_the_bound_are_counted_as_dropped(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "small", keep_bytes=100_000, segment_bytes=10_000)
    sink = Recorder()
    mover = SinkMover("late", sink, spool, tmp_path)
    fill(spool, 1, 100)
    drain(mover)
    for number in range(101, 601):
        spool.append([event(number)])
    assert spool.first > 101
    drain(mover)
    cursor = read_cursor(tmp_path, "late")
    assert cursor.dropped == spool.first - 101 > 0
    assert cursor.delivered + cursor.dropped == 600
    assert sink.taken[100:] == [f"e{number}" for number in range(spool.first, 601)]


def test_spool_that_somebody_removed_begins_again(tmp_path: Path, spool: EventSpool) -> None:
    sink = Recorder()
    fill(spool, 1, 5)
    drain(SinkMover("it", sink, spool, tmp_path))
    for path in spool.folder.glob("*.jsonl"):
        path.unlink()
    again = EventSpool(spool.folder)
    again.append([event(6)])
    drain(SinkMover("it", sink, again, tmp_path))
    assert sink.taken[-1] == "e6"


def test_pauses_grow_while_a_sink_is_down_and_end_with_it(tmp_path: Path, spool: EventSpool) -> None:
    is_down = True

    def trouble() -> None:
        if is_down:
            raise ConnectionError("nobody listens")

    mover = SinkMover("it", Recorder(trouble), spool, tmp_path)
    spool.append([event(1)])
    pauses: list[float] = []
    for _ in range(12):
        assert mover.deliver_once() is False
        pauses.append(mover.pause_seconds)
    assert 0.5 <= pauses[0] <= 1 < pauses[3] < pauses[-1] <= 60
    is_down = False
    assert mover.deliver_once() is True
    assert mover.pause_seconds < pauses[0]


def test_line_for_people_says_who_and_why() -> None:
    failed = event(1, error="ProviderTimeout", message="no answer")
    assert line_for_people(failed) == (
        "03:04:05  voice-0123456789abcdef  lipsync  succeeded  mouth_warp  1.0 s  ProviderTimeout: no answer"
    )
