"""`sparkle serve` beside real productions: followed to their end, started, rerun, cancelled, killed."""

import hashlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sparkle_dagster.observability.spool import EventSpool
from tests.faults.processes import wait_for
from tests.pipeline.conftest import Made
from tests.project import SOURCE
from tests.service import Service, run_pid, serving

NODES = ["upload", "script", "lipsync", "video", "qa", "report"]


@pytest.fixture(scope="module")
def service(made: Made) -> Iterator[Service]:
    """Of the project with the production that was made before the service ever ran."""
    with serving(made.project) as service:
        yield service


def drop(service: Service, name: str, voice: Path, **options: object) -> httpx.Response:
    """Upload a voice and start its production in the quickest profile."""
    with voice.open("rb") as stream:
        assert service.client.put(f"{service.url}/drops/{name}/{voice.name}", content=stream).status_code == 201
    return service.post("/productions", {"drop": name, "profile": "draft", **options})


def other_voice(samples: Path, tmp_path: Path, name: str) -> Path:
    """The short voice with a trailing byte: another production of the same sound."""
    voice = tmp_path / f"{name}.wav"
    voice.write_bytes((samples / "voice_short.wav").read_bytes() + name.encode())
    return voice


@pytest.mark.requirement("S41")
@pytest.mark.timeout(600)
def test_production_is_followed_to_its_end_across_a_restart(service: Service, samples: Path, tmp_path: Path) -> None:
    before = EventSpool(service.project.home / "events" / "spool").last
    numbers: list[int] = []
    percents: list[float] = []
    killed = threading.Event()

    def follow(after: int | None) -> None:
        for number, kind, document in service.messages("/events", after):
            if kind == "node":
                numbers.append(number or 0)
                if (document["node_id"], document["status"]) == ("lipsync", "running"):
                    killed.set()

    follower = threading.Thread(target=follow, args=(before,))
    follower.start()
    started = drop(service, "followed-1", other_voice(samples, tmp_path, "followed"))
    assert started.status_code == 202, started.text
    production = started.json()["production"]
    assert service.state(production) in {"queued", "running"}
    assert killed.wait(180)
    service.stop(signal.SIGKILL)
    follower.join(60)
    service.start()
    second = threading.Thread(target=follow, args=(numbers[-1],), daemon=True)
    second.start()

    def is_done() -> bool:
        percents.append(service.get(f"/status/{production}").json()["percent"] or 0.0)
        return service.state(production) == "succeeded"

    wait_for("the production has succeeded", is_done)
    spool = EventSpool(service.project.home / "events" / "spool")
    wait_for("the stream has told the end", lambda: bool(numbers) and numbers[-1] >= spool.last)
    assert numbers == list(range(before + 1, before + 1 + len(numbers)))
    assert percents == sorted(percents)
    told = [item.event for item in spool.read(before)]
    assert [event.status.value for event in told if event.node_id == "lipsync"] == ["queued", "running", "succeeded"]
    nodes = service.get(f"/status/{production}").json()["nodes"]
    assert [(node["node_id"], node["status"]) for node in nodes] == [(name, "succeeded") for name in NODES]
    assert service.metric('sparkle_runs_total{state="succeeded"}') >= 1
    assert service.metric('sparkle_node_latency_seconds_count{node="lipsync",provider="mouth_warp"}') >= 1


def test_production_made_before_the_service_ran_is_known(service: Service, made: Made) -> None:
    found = service.get("/productions", params={"q": "VOICE short"}).json()
    assert made.key in [status["production"] for status in found]
    assert service.get(f"/productions/{made.key}").json()["production"] == made.key
    assert service.get("/productions", params={"q": "no such words"}).json() == []
    assert service.get("/productions", params={"state": "failed", "q": made.key}).json() == []


def test_artifact_is_served_whole_in_ranges_and_never_as_a_page(service: Service, made: Made) -> None:
    ref = made.project.result("assembled_video", made.key)["assembled_video"]
    digest = ref["checksum"].removeprefix("sha256:")
    whole = service.get(f"/artifacts/{digest}")
    assert hashlib.sha256(whole.content).hexdigest() == digest
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = service.get(f"/artifacts/{digest}", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    beyond = service.get(f"/artifacts/{digest}", headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416
    for wrong in ("0" * 64, "..%2F..%2Fconfigs", "A" * 64):
        assert service.get(f"/artifacts/{wrong}").status_code == 404


@pytest.mark.requirement("S58")
def test_rerun_with_a_node_turned_off_says_so_in_its_provenance(service: Service, made: Made) -> None:
    answer = service.post(f"/productions/{made.key}/rerun", {"only": "lipsync", "disable": ["lipsync"]})
    assert answer.status_code == 202, answer.text
    wait_for("it has passed through", lambda: service.node(made.key, "lipsync").get("status") == "passed_through")
    record = made.project.store.read(f"aligned_video/{made.key}").document["record"]
    assert (record["provider"], record["switches"]) == ("noop", {"enabled": False})
    again = service.post(f"/productions/{made.key}/rerun", {"only": "lipsync"})
    assert again.status_code == 202
    wait_for("it is as it was", lambda: service.node(made.key, "lipsync").get("status") == "cached")
    assert made.project.store.read(f"aligned_video/{made.key}").document["record"]["switches"] == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"only": "lipsink"}, "expected a node"),
        ({}, "--only, --from or --until NODE"),
        ({"only": "qa", "colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"only": "lipsync", "provider": {"lipsync": "nobody"}}, "nobody"),
    ],
)
def test_rerun_that_cannot_be_is_refused_with_the_reason(
    service: Service, made: Made, body: dict[str, object], expected: str
) -> None:
    answer = service.post(f"/productions/{made.key}/rerun", body)
    assert answer.status_code == 422
    assert expected in answer.json()["error"]


def test_files_that_are_a_production_already_start_nothing(service: Service, made: Made, samples: Path) -> None:
    answer = drop(service, "known-0001", samples / "voice_short.wav")
    assert answer.status_code == 200
    assert (answer.json()["production"], answer.json()["started"]) == (made.key, False)


@pytest.mark.parametrize(
    ("path", "status"),
    [("drop-0002/evil.html", 422), ("drop-0002/..%2Fx.wav", 404), ("UP/x.wav", 422), ("drop-0002/.hidden.wav", 422)],
)
def test_file_that_no_upload_may_be_is_refused(service: Service, path: str, status: int) -> None:
    assert service.client.put(f"{service.url}/drops/{path}", content=b"x").status_code == status


def test_drop_without_a_voice_is_refused(service: Service) -> None:
    answer = service.post("/productions", {"drop": "nothing-there"})
    assert answer.status_code == 422
    assert "expected a voice" in answer.json()["error"]


def test_unknown_production_is_not_found(service: Service) -> None:
    for path in ("/status/nobody", "/status/nobody/events", "/productions/nobody"):
        assert service.get(path).status_code == 404
    assert service.post("/productions/nobody/cancel").status_code == 404


@pytest.mark.requirement("S40")
def test_every_metric_is_explained_to_the_operator(service: Service) -> None:
    names = re.findall(r"^# TYPE (\S+) ", service.get("/metrics").text, re.MULTILINE)
    text = (SOURCE / "docs/operations.md").read_text()
    assert len(names) > 10
    assert [name for name in names if f"`{name}" not in text and f"{name}_total" not in text] == []


@pytest.mark.requirement("S40", "S41")
def test_killed_run_is_found_and_counted(service: Service, samples: Path, tmp_path: Path) -> None:
    answer = drop(service, "killed-001", other_voice(samples, tmp_path, "killed")).json()
    production = answer["production"]
    wait_for("it works", lambda: service.node(production, "upload").get("status") in {"running", "succeeded"})
    os.kill(run_pid(service.project, answer["run_id"]), signal.SIGKILL)
    wait_for("its loss is known", lambda: service.state(production) == "failed")
    nodes = service.get(f"/status/{production}").json()["nodes"]
    assert [node["error"] for node in nodes if node["status"] == "failed"] == ["RunLost"]
    assert {node["status"] for node in nodes} <= {"succeeded", "failed", "blocked"}
    assert answer["run_id"] in service.get("/status").json()["lost_runs"]
    assert service.metric('sparkle_runs_total{state="lost"}') >= 1


def test_cancelled_run_says_so(service: Service, samples: Path, tmp_path: Path) -> None:
    production = drop(service, "cancelled-1", other_voice(samples, tmp_path, "cancelled")).json()["production"]
    wait_for("it works", lambda: service.node(production, "upload").get("status") in {"running", "succeeded"})
    assert len(service.post(f"/productions/{production}/cancel").json()["cancelled"]) == 1
    wait_for("it has ended", lambda: service.state(production) == "cancelled")
    statuses = {node["status"] for node in service.get(f"/status/{production}").json()["nodes"]}
    assert statuses <= {"cancelled", "succeeded"}


def test_page_of_another_site_changes_nothing(service: Service, made: Made) -> None:
    answer = service.post(f"/productions/{made.key}/cancel", headers={"Origin": "http://elsewhere"})
    assert answer.status_code == 403
    assert service.get("/status", headers={"Host": "rebound.example"}).status_code == 403
    assert service.get("/healthz", headers={"Host": "rebound.example"}).status_code == 200
