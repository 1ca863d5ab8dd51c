"""The event log that keeps its files open: the same files as Dagster's own, whoever writes and whoever reads."""

from pathlib import Path

import dagster as dg
import pytest

from sparkle_dagster.defs.event_log import MAX_OPEN_FILES

OURS = """
event_log_storage:
  module: sparkle_dagster.defs.event_log
  class: OpenSqliteEventLog
  config: {{base_dir: "{home}/history/runs"}}
"""
STOCK = ""


@dg.asset
def one() -> int:
    return 1


def opened(home: Path, config: str) -> dg.DagsterInstance:
    (home / "dagster.yaml").write_text(config.format(home=home))
    return dg.DagsterInstance.from_config(str(home))


def open_files(home: Path) -> set[str]:
    """Files of the event log that this process holds open."""
    targets = {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    return {target.name for target in targets if target.is_relative_to(home) and target.suffix == ".db"}


@pytest.mark.parametrize(("writer", "reader"), [(OURS, STOCK), (STOCK, OURS)])
def test_what_one_writes_the_other_reads(tmp_path: Path, writer: str, reader: str) -> None:
    with opened(tmp_path, writer) as instance:
        run = dg.materialize([one], instance=instance).run_id
        written = [entry.message for entry in instance.all_logs(run)]
    with opened(tmp_path, reader) as instance:
        assert [entry.message for entry in instance.all_logs(run)] == written
        dg.materialize([one], instance=instance)
        found = instance.fetch_materializations(one.key, limit=9)
    assert [record.run_id for record in found.records][1:] == [run]
    assert not list((tmp_path / "history/runs").glob("*-wal")), "every file was closed"


def test_an_event_does_not_wait_for_the_disk_and_the_journal_keeps_files_whole(tmp_path: Path) -> None:
    with opened(tmp_path, OURS) as instance, instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        (synchronous,) = connection.exec_driver_sql("PRAGMA synchronous").one()
        (journal,) = connection.exec_driver_sql("PRAGMA journal_mode").one()
    assert (synchronous, journal) == (1, "wal"), "NORMAL is safe for files that are written ahead alone"


def test_a_file_stays_open_and_not_too_many(tmp_path: Path) -> None:
    with opened(tmp_path, OURS) as instance:
        dg.materialize([one], instance=instance)
        assert "index.db" in open_files(tmp_path)
        for number in range(MAX_OPEN_FILES + 2):
            instance.all_logs(f"run-{number}")
        assert len(open_files(tmp_path) - {"runs.db", "schedules.db"}) == MAX_OPEN_FILES
    with opened(tmp_path, STOCK) as instance:
        dg.materialize([one], instance=instance)
        assert not open_files(tmp_path), "Dagster's own keeps none: this class can go when it does"
