"""A real Prometheus server scrapes the status service, and answers what an operator asks."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.processes import wait_for
from tests.pipeline.conftest import Made
from tests.service import Service, serving
from tests.system_packages import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def service(made: Made) -> Iterator[Service]:
    with serving(made.project) as service:
        yield service


@pytest.mark.requirement("S40")
def test_prometheus_scrapes_runs_nodes_and_sinks(service: Service, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    target = service.url.removeprefix("http://")
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "sparkle", "static_configs": [{"targets": [target]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    command = [
        program("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)

    def asked(query: str) -> list[dict[str, str]]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=30)
        except httpx.TransportError:
            return []
        return [{**item["metric"], "value": item["value"][1]} for item in answer.json()["data"]["result"]]

    try:
        wait_for("it has scraped", lambda: [item for item in asked("up") if item["value"] == "1"], every=0.5)
        (runs,) = asked('sparkle_runs_total{state="succeeded"}')
        assert float(runs["value"]) >= 1
        latency = asked('histogram_quantile(0.95, sparkle_node_latency_seconds_bucket{node="lipsync"})')
        assert latency[0]["provider"] == "mouth_warp"
        assert float(latency[0]["value"]) > 0
        assert {item["sink"] for item in asked("sparkle_sink_backlog")} == {"stdout"}
        assert {item["lane"] for item in asked("sparkle_lane_slots")} == {"cpu", "gpu"}
        service.stop()
        wait_for("it sees that the service is gone", lambda: asked("up")[0]["value"] == "0", every=0.5)
    finally:
        server.terminate()
        server.wait(timeout=60)
