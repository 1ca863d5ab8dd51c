"""A BigQuery table of node events, through Dagster's own resource. Rows carry insert ids: a repeat is no duplicate."""

from collections.abc import Sequence
from typing import Any

from contracts.events import NodeEvent
from contracts.tool_registry import BigQuerySink
from sparkle_dagster.observability.spool import SpooledEvent

REQUEST_SECONDS = 30.0
ONE_TRY: Any = None
"""As ``retry``: trying again, and how long to wait before it, is the mover's."""
INVALID = "invalid"
"""The reason BigQuery gives for a row that it will never take; the others of its request are ``stopped``."""

COLUMNS = {
    "event_id": "STRING",
    "at": "TIMESTAMP",
    "workspace": "STRING",
    "production": "STRING",
    "run_id": "STRING",
    "node_id": "STRING",
    "provider": "STRING",
    "status": "STRING",
    "latency_ms": "INTEGER",
    "queue_ms": "INTEGER",
    "retries": "INTEGER",
    "failed_over": "STRING",
    "fidelity": "STRING",
    "cache": "STRING",
    "cpu_s": "FLOAT",
    "peak_memory_mb": "FLOAT",
    "gpu_memory_mb": "FLOAT",
    "error": "STRING",
    "message": "STRING",
    "reason": "STRING",
    "definition_digest": "STRING",
    "schema_version": "INTEGER",
    "artifacts": "RECORD",
    "attempts": "RECORD",
}
INNER_COLUMNS = {
    "artifacts": {"path": "STRING", "checksum": "STRING", "size_bytes": "INTEGER", "media_type": "STRING"},
    "attempts": {
        "provider": "STRING",
        "number": "INTEGER",
        "error": "STRING",
        "message": "STRING",
        "latency_ms": "INTEGER",
    },
}
REPEATED = {"failed_over", *INNER_COLUMNS}


class BigQueryTable:
    """Made with its schema at the first delivery, when it is not there."""

    def __init__(self, sink: BigQuerySink) -> None:
        self._sink = sink
        self._is_made = False

    def deliver(self, events: Sequence[SpooledEvent]) -> Sequence[SpooledEvent]:
        from dagster_gcp import BigQueryResource

        with BigQueryResource(project=self._sink.project, location=self._sink.location).get_client() as client:
            table = f"{self._sink.project}.{self._sink.dataset}.{self._sink.table}"
            if not self._is_made:
                client.create_table(_table(table), exists_ok=True, timeout=REQUEST_SECONDS, retry=ONE_TRY)
                self._is_made = True
            refused: list[SpooledEvent] = []
            waiting = list(events)
            while waiting:
                bad = _invalid(
                    client.insert_rows_json(
                        table,
                        [row_of(item.event) for item in waiting],
                        row_ids=[item.event.event_id for item in waiting],
                        timeout=REQUEST_SECONDS,
                        retry=ONE_TRY,
                    )
                )
                refused += [waiting[index] for index in sorted(bad)]
                # One invalid row stops its whole request: the others are sent again without it.
                waiting = [item for index, item in enumerate(waiting) if index not in bad] if bad else []
            return refused


class RowsNotInserted(Exception):
    """BigQuery took none of the rows of a request, for a reason that may pass."""


def row_of(event: NodeEvent) -> dict[str, Any]:
    """An event as a row; what is not known is left out, which BigQuery reads as NULL."""
    document = event.model_dump(mode="json", exclude_none=True)
    for column, inner in INNER_COLUMNS.items():
        document[column] = [{name: item[name] for name in inner} for item in document[column]]
    if not document["at"]:
        del document["at"]
    return document


def _invalid(problems: Sequence[dict[str, Any]]) -> set[int]:
    """Positions of rows that will never be taken. Raises: RowsNotInserted: none of the problems is of that kind."""
    found = {
        int(problem["index"]) for problem in problems if any(item["reason"] == INVALID for item in problem["errors"])
    }
    if problems and not found:
        raise RowsNotInserted(f"{len(problems)} rows, such as {problems[0]['errors']}")
    return found


def _table(name: str) -> Any:
    from google.cloud.bigquery import SchemaField, Table, TimePartitioning

    def field(column: str, kind: str) -> Any:
        mode = "REPEATED" if column in REPEATED else "NULLABLE"
        inner = [field(*item) for item in INNER_COLUMNS.get(column, {}).items()]
        return SchemaField(column, kind, mode=mode, fields=inner)

    table = Table(name, schema=[field(*item) for item in COLUMNS.items()])
    table.time_partitioning = TimePartitioning(field="at")
    return table
