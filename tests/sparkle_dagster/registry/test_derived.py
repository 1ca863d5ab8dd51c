"""What a provider derives from an input's content alone is made once, also where the store is a bucket."""

import shutil
from collections.abc import Callable

import pytest

from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.gcs.fixtures import all_day_service, service
from tests.gcs.rig import EMULATED, Rig
from tests.sparkle_dagster.registry.conftest import WriteProject

__all__ = ["all_day_service", "service"]


def test_what_one_machine_derived_another_finds(
    write_project: WriteProject,
    request_of: Callable[[ProviderRegistry], LipSyncRequest],
    service: Rig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.endpoint)
    file = write_project("it: {use: Derives}", lipsync="{providers: [it]}") / "configs/tool_registry.yaml"
    place = f"store: {{kind: gcs, bucket: {EMULATED}, prefix: derived, "
    file.write_text(file.read_text().replace("store: {", place))
    notes: list[str] = []
    for _ in range(2):
        registry = ProviderRegistry.from_config(file)
        notes += registry.resolve("lipsync").run(request_of(registry)).notes
        shutil.rmtree(registry.store().local_root)  # the next one is another machine
    assert notes == ["made", "found"]
