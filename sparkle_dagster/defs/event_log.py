"""Dagster's event log on SQLite, with its files kept open. Not here: what is logged, or how it is stored.

Dagster 1.13 opens an engine and a connection for each statement. Every statement is compiled anew then, and as the last
connection to a file closes, SQLite copies its journal back and waits for the disk: 1,100 times in a run of five steps
that makes nothing. ``configs/dagster.yaml`` names this class; see decision 0021.
"""

import weakref
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event

MAX_OPEN_FILES = 16
"""A daemon and a web server look into the files of many runs."""
BUSY_SECONDS = 30  # as Dagster 1.13.27: writers queue for a file that another process writes to


class OpenSqliteEventLog(SqliteEventLogStorage):
    """The stock storage but for how a connection comes about. Its lock lets one thread use it at a time, so one
    connection for each file is enough."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        weakref.finalize(
            self, _close, self._engines
        )  # also when the process ends: a file closed well leaves no journal
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "OpenSqliteEventLog":
        return cls(inst_data=inst_data, **config_value)

    def dispose(self) -> None:
        super().dispose()
        _close(self._engines)

    def wipe(self) -> None:
        _close(self._engines)
        super().wipe()

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with cast(Any, self._db_lock):
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.get(shard)
        if engine is None:
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": BUSY_SECONDS})
            event.listen(engine, "connect", _wait_for_the_disk_less)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > MAX_OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return engine


def _wait_for_the_disk_less(connection: Any, _record: Any) -> None:
    """A power cut may take the last events, and spoils no file; what was made is in the store, which waits."""
    connection.execute("PRAGMA synchronous=NORMAL")


def _close(engines: OrderedDict[str, Engine]) -> None:
    while engines:
        engines.popitem()[1].dispose()
