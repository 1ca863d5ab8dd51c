"""How far a running node is: one small file per production and node, replaced whole, gone when the node ends."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

MIN_INTERVAL_SECONDS = 0.1


class ProgressFile:
    """Called as ``progress(done, total, note)`` by the provider's host."""

    def __init__(self, home: Path, production: str, node_id: str, run_id: str) -> None:
        self._path = home / "progress" / production / f"{node_id}.json"
        self._run_id = run_id
        self._written_at = 0.0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._write(0, 0, "")
        return self

    def __call__(self, done: float, total: float, note: str = "") -> None:
        if time.monotonic() - self._written_at >= MIN_INTERVAL_SECONDS:
            self._write(done, total, note)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self, done: float, total: float, note: str) -> None:
        self._written_at = time.monotonic()
        document = {"run_id": self._run_id, "done": done, "total": total, "note": note, "at": time.time()}
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(document), encoding="utf-8")
        temporary.replace(self._path)


def read_progress(home: Path, production: str) -> dict[str, dict[str, Any]]:
    """node id -> {run_id, done, total, note, at} of the nodes of a production that run now."""
    found: dict[str, dict[str, Any]] = {}
    for path in (home / "progress" / production).glob("*.json"):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
    return found
