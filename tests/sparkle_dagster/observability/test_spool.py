"""Events are numbered without gaps, survive their writers, and leave in order when the spool outgrows its bound."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkle_dagster.observability.spool import EventSpool
from tests.sparkle_dagster.observability.events import event

WRITER = """
import sys
from pathlib import Path
from sparkle_dagster.observability.spool import EventSpool
from tests.sparkle_dagster.observability.events import event
spool = EventSpool(Path(sys.argv[1]), segment_bytes=20_000)
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 50):
    spool.append([event(number)])
"""


def numbers(spool: EventSpool, after: int = 0, limit: int = 500) -> list[int]:
    return [item.number for item in spool.read(after, limit)]


def test_what_was_appended_is_read_in_order_from_any_number(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "spool")
    assert (spool.first, spool.last, spool.read(0)) == (1, 0, [])
    assert spool.append([event(1), event(2)]) == 2
    assert spool.append([event(3)]) == 3
    assert [item.event for item in spool.read(1)] == [event(2), event(3)]
    assert numbers(spool, limit=2) == [1, 2]
    assert numbers(EventSpool(tmp_path / "spool"), after=2) == [3]
    assert (spool.first, spool.last) == (1, 3)


def test_several_processes_write_without_a_gap_or_a_torn_line(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(start)]) for start in (0, 100, 200)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    spool = EventSpool(folder)
    found = spool.read(0)
    assert [item.number for item in found] == list(range(1, 151))
    assert {item.event.event_id for item in found} == {f"e{start + n}" for start in (0, 100, 200) for n in range(50)}
    assert len(list(folder.glob("*.jsonl"))) > 1


def test_half_line_of_a_lost_writer_costs_nothing_else(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "spool")
    spool.append([event(1)])
    (segment,) = (tmp_path / "spool").glob("*.jsonl")
    with segment.open("a") as stream:
        stream.write('{"number":2,"event":{"node_')
    assert numbers(spool) == [1]
    assert spool.append([event(3)]) == 2
    assert [item.event.event_id for item in spool.read(0)] == ["e1", "e3"]


def test_oldest_events_go_beyond_the_bound(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "spool", keep_bytes=40_000, segment_bytes=10_000)
    for number in range(1, 201):
        spool.append([event(number)])
    assert spool.size_bytes <= 40_000 + 10_000
    assert spool.first > 1
    assert numbers(spool) == list(range(spool.first, 201))


def test_reader_that_fell_behind_goes_on_with_what_is_kept(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "spool", keep_bytes=40_000, segment_bytes=10_000)
    spool.append([event(1)])
    assert numbers(spool, after=0) == [1]
    for number in range(2, 201):
        spool.append([event(number)])
    assert numbers(spool, after=1)[0] == spool.first


def test_event_longer_than_the_looked_at_tail_is_counted(tmp_path: Path) -> None:
    spool = EventSpool(tmp_path / "spool")
    spool.append([event(1, message="x" * 200_000)])
    assert spool.last == 1
    assert spool.append([event(2)]) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="denied"):
        EventSpool(tmp_path / "spool").append([event(1)])
