"""Progress files: there while a node runs, whole at every moment, gone however it ends."""

from pathlib import Path

import pytest

from sparkle_dagster.observability.progress import ProgressFile, read_progress

KEY = "voice-0123456789abcdef"


def test_progress_is_seen_while_the_node_runs_and_gone_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkle_dagster.observability.progress.MIN_INTERVAL_SECONDS", 0)
    with ProgressFile(tmp_path, KEY, "lipsync", "run-1") as progress:
        progress(3, 4, "frame 3")
        (found,) = read_progress(tmp_path, KEY).items()
        assert found[0] == "lipsync"
        assert {name: found[1][name] for name in ("run_id", "done", "total", "note")} == {
            "run_id": "run-1",
            "done": 3,
            "total": 4,
            "note": "frame 3",
        }
    assert read_progress(tmp_path, KEY) == {}


def test_failed_node_leaves_no_progress(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, KEY, "qa", "run-1").__enter__()
    assert set(read_progress(tmp_path, KEY)) == {"qa"}
    progress.__exit__(KeyError, KeyError(), None)
    assert list((tmp_path / "progress" / KEY).iterdir()) == []


def test_nothing_runs_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert read_progress(tmp_path, KEY) == {}
