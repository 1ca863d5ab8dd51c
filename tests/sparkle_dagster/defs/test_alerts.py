"""The example alert names the failed stage, the reason and what to type."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from sparkle_dagster.defs.alerts import alert_of
from sparkle_dagster.workspace import load_workspace
from tests.project import make_project

KEY = "voice-0123456789abcdef"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


def test_alert_names_stage_reason_and_command(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.asset(name="script")
    def failing() -> None:
        raise dg.Failure("no words", metadata={"error": "ProviderFailed", "message": "the words fell off"})

    result = dg.materialize([failing], instance=instance, tags={"dagster/partition": KEY}, raise_on_error=False)
    workspace = load_workspace(make_project(tmp_path / "project").root)
    alert = alert_of(instance, workspace, result.dagster_run)
    assert alert["text"] == f"{KEY}: script failed: ProviderFailed: the words fell off"
    assert alert["next"] == f"sparkle rerun {KEY} --from script"
    assert alert["run_id"] == result.run_id
