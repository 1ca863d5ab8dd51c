"""Lanes without a cluster: what is refused and why, and what a slot's host does with calls, leases and other code."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ConfigError, ProviderUnavailable
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry._lane_host import LaneHost
from sparkle_dagster.registry.code_digest import code_digest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.wire import AttemptOrder
from tests.sparkle_dagster.registry.conftest import MakeRegistry

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
PATIENCE_SECONDS = 120


def bound_to_ray(registry: ProviderRegistry, address: str, more: str = "shared_store: true") -> ProviderRegistry:
    """The same project with its gpu lane on a cluster."""
    file = registry.project_settings.project / "configs/tool_registry.yaml"
    lanes = f"  lanes: {{gpu: {{kind: ray, address: '{address}', {more}}}}}\n"
    file.write_text(file.read_text().replace("settings:\n", "settings:\n" + lanes))
    return ProviderRegistry.from_config(file)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Hosted:
    """A slot's host in this process, and one order for it."""

    def __init__(self, registry: ProviderRegistry, request: LipSyncRequest, lease_seconds: float) -> None:
        task = registry.resolve("lipsync")
        self._order = task._order(registry.candidates("lipsync")[0], request.model_dump(mode="json"))
        self.host = LaneHost(str(registry.project_settings.project), "gpu", 0, code_digest(), lease_seconds)

    def start(self, timeout_seconds: float = PATIENCE_SECONDS, **metadata: str) -> str | None:
        request = {**self._order.request, "metadata": metadata}
        order: AttemptOrder = self._order.model_copy(update={"request": request})
        return self.host.start(order.model_dump_json(), "some-production", timeout_seconds)

    def end_of(self, call_id: str | None) -> dict[str, Any]:
        assert call_id is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            news = self.host.poll(call_id, 1.0)
            assert news is not None
            if news["end"]:
                return news["end"]
        raise AssertionError("it never ended")


Host = Callable[..., Hosted]


@pytest.fixture
def host(make_registry: MakeRegistry, request_of: RequestOf, tmp_path: Path, marker: str) -> Iterator[Host]:
    made: list[ProviderRegistry] = []

    def make(lease_seconds: float = PATIENCE_SECONDS) -> Hosted:
        registry = make_registry(
            f"it: {{use: StaysLoaded, count_file: {tmp_path / 'loads'}, marker: {marker}}}", lipsync="{providers: [it]}"
        )
        made.append(registry)
        return Hosted(registry, request_of(registry), lease_seconds)

    yield make
    for registry in made:
        assert registry.residents.end(60) == []


def test_a_slot_serves_one_call_at_a_time_and_keeps_what_was_loaded(host: Host, tmp_path: Path) -> None:
    hosted = host()
    until = tmp_path / "until"
    first = hosted.start(how="waits", until=str(until))
    assert hosted.start() is None
    assert hosted.host.describe()["provider"] == "lipsync/it"
    until.touch()
    assert hosted.end_of(first)["kind"] == "result"
    second = hosted.end_of(hosted.start())
    assert second["result"]["notes"][0] == "2"
    assert len((tmp_path / "loads").read_text().splitlines()) == 1
    assert not hosted.host.describe()["is_busy"]


def test_a_provider_whose_caller_is_not_heard_from_is_killed(host: Host) -> None:
    hosted = host(lease_seconds=2.0)
    call_id = hosted.start(how="hangs")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while hosted.host.describe()["is_busy"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert hosted.end_of(call_id)["kind"] == "stopped"
    assert hosted.end_of(hosted.start())["kind"] == "result"


def test_a_typed_error_comes_back_with_what_it_took(host: Host) -> None:
    end = (hosted := host()).end_of(hosted.start(how="rejects"))
    assert (end["error"], end["message"]) == ("ProviderRejected", "no voice in the recording")
    assert end["usage"]["cpu_s"] > 0


def test_a_call_of_before_a_restart_is_not_known(host: Host) -> None:
    assert host().host.poll("a" * 32, 0.0) is None


def test_a_host_with_other_code_says_so(host: Host, tmp_path: Path) -> None:
    other = LaneHost(str(tmp_path), "gpu", 0, "0123456789abcdef", 8.0)
    reason = other.unavailable("main", "lipsync", "it")
    assert reason is not None
    assert "expected Sparkle's code 0123456789abcdef" in reason
    assert "sparkle lanes --restart" in reason


def test_a_dead_address_makes_providers_unavailable_at_once(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("it: {use: NoOp}", lipsync="{providers: [it]}")
    bound = bound_to_ray(registry, f"127.0.0.1:{free_port()}")
    with pytest.raises(ProviderUnavailable, match=r"nobody answers at .* \(settings.lanes.gpu.address\)"):
        bound.resolve("lipsync", lane="gpu").run(request_of(bound))


def test_a_provider_of_the_cpu_lane_does_not_need_the_cluster(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    bound = bound_to_ray(make_registry(), f"127.0.0.1:{free_port()}")
    outcome = bound.resolve("lipsync").run_with_outcome(request_of(bound))
    placement = outcome.attempts[-1].placement
    assert placement is not None
    assert (placement.lane, placement.kind) == ("cpu", "local")


@pytest.mark.parametrize(
    ("address", "more", "message"),
    [
        ("head:1", "slots: 1", r"tool_registry.yaml:\d+.*store.*kind: gcs.*shared_store: true"),
        ("", "shared_store: true", "expected the address of a cluster's head"),
    ],
)
def test_a_lane_that_cannot_work_is_refused_when_it_loads(
    make_registry: MakeRegistry, address: str, more: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        bound_to_ray(make_registry(), address, more)
