"""`sparkle dev` as people use it: files dropped in the inbox, one stage launched from the UI's own API."""

import json
import logging
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from contracts.lipsync import LipSyncRequest
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.registry.process_host import Listeners, Place, run_attempt
from sparkle_dagster.registry.residents import Residents
from sparkle_dagster.registry.wire import AttemptOrder, ProviderSpec
from tests.faults.processes import is_running
from tests.project import Project, make_project

PATIENCE_SECONDS = 300
NO_OP = "providers.lipsync.noop:NoOpLipSyncProvider"

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""


@dataclass(frozen=True)
class Dev:
    project: Project
    port: int

    @property
    def inbox(self) -> Path:
        return self.project.home / "uploads"

    def drop(self, source: Path, name: str) -> None:
        shutil.copy(source, self.inbox / f".{name}")
        (self.inbox / f".{name}").rename(self.inbox / name)

    def runs(self) -> list[dg.DagsterRun]:
        """All runs, oldest first."""
        with self.project.instance() as instance:
            return list(instance.get_runs())[::-1]

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.5)
        raise AssertionError(f"never happened: {what}; runs: {[(run.status, run.tags) for run in self.runs()]}")

    def finished(self, count: int) -> list[dg.DagsterRun]:
        """Wait until ``count`` runs have ended, all well; they, oldest first."""
        runs: list[dg.DagsterRun] = self.wait(
            f"{count} finished runs",
            lambda: len(found := self.runs()) >= count and all(r.is_finished for r in found) and found,
        )
        assert [run.status.value for run in runs] == ["SUCCESS"] * count
        return runs

    def words(self, production: str) -> list[str]:
        """What is said, by the newest script."""
        lines = self.project.result("script", production)["lines"]
        return [word["text"].lower() for line in lines for word in line["words"]]

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = make_project(tmp_path_factory.mktemp("dev") / "project")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    project.edit("configs/tool_registry.yaml", "port: 3000", f"port: {port}")
    project.edit("configs/tool_registry.yaml", "settle_s: 5", "settle_s: 1")
    log = (project.root / "dev.log").open("w")
    command = [sys.executable, "-m", "sparkle_dagster.cli", "dev"]
    process = subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=log, stderr=log)
    try:
        found = Dev(project, port)
        found.wait("the inbox exists", found.inbox.is_dir)
        residents = Residents(project.home, idle_seconds=3600)
        _use_resident(project, residents)
        (resident,) = residents.states()
        yield found
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()
    assert residents.states() == []
    assert not is_running(resident.process_id)


def _use_resident(project: Project, residents: Residents) -> None:
    """Run a warm provider once; the process that keeps it is to end with `sparkle dev`."""
    store = LocalArtifactStore(project.home / "other_store")
    spec = ProviderSpec(capability="lipsync", name="noop", target=NO_OP, options={}, warm=True)
    still = store.put(project.root / "samples/presenter.png", "image/png")
    voice = store.put(project.root / "samples/voice_short.wav", "audio/wav")
    order = AttemptOrder(
        provider=spec,
        inspector=None,
        request=LipSyncRequest(audio_track=voice, video_stub=still).model_dump(mode="json"),
        store_root=project.home / "other_store",
        workspace="main",
    )
    place = Place(project.home / "scratch", residents)
    run_attempt(order, place=place, timeout_seconds=60, listeners=Listeners(None, logging.getLogger("test"), None))


def _launched_assets(dev: Dev, run: dg.DagsterRun) -> list[str]:
    return dev.project.materialized(run.run_id)


ALL = ["upload", "script", "aligned_video", "assembled_video", "qa_report", "report"]


@pytest.mark.requirement("S11", "S15", "S62", "U5", "U6", "U7")
@pytest.mark.timeout(1800)
def test_uploads_become_productions_and_stages_run_alone(dev: Dev, samples: Path) -> None:
    # one story, told in order: each step needs what the one before it made
    (words := dev.project.root / "first.txt").write_text("Unless to be rather cold and rather selfish is to be ill.")
    dev.drop(words, "hello.txt")
    dev.drop(samples / "voice_short.wav", "hello.wav")
    (first,) = dev.finished(1)
    assert _launched_assets(dev, first) == ALL
    production = first.tags["dagster/partition"]
    dev.wait("the inbox is empty", lambda: not list(dev.inbox.glob("hello*")))
    assert "hearted" not in dev.words(production)

    # a corrected transcript of the finished production makes a new upload of it and reruns what depends on words
    before = dev.project.result("upload", production)
    dev.drop(samples / "voice_short.txt", "hello.txt")
    *_, second = dev.finished(2)
    assert second.tags["dagster/partition"] == production
    assert _launched_assets(dev, second) == ALL
    assert dev.project.generations(production) == dict.fromkeys(ALL, 2)
    after = dev.project.result("upload", production)
    assert {name for name in after if after[name] != before[name]} == {"transcript"}
    assert "hearted" in dev.words(production)

    # a title is not said by anybody: lip-sync stays
    (dev.inbox / ".hello.yaml").write_text("title: Good day\n")
    (dev.inbox / ".hello.yaml").rename(dev.inbox / "hello.yaml")
    *_, third = dev.finished(3)
    assert "aligned_video" not in _launched_assets(dev, third)
    assert "assembled_video" in _launched_assets(dev, third)

    # the same files under another name start nothing
    dev.drop(samples / "voice_short.wav", "other.wav")
    dev.wait("the duplicate was put away", lambda: not list(dev.inbox.glob("other*")))
    assert len(dev.runs()) == 3

    # the same voice with another face is another production
    picture = dev.inbox / ".face.png"
    shutil.copy(samples / "presenter.png", picture)
    with picture.open("ab") as stream:
        stream.write(b"\0")  # another file, the same picture
    picture.rename(dev.inbox / "twin.png")
    dev.drop(samples / "voice_short.wav", "twin.wav")
    *_, fourth = dev.finished(4)
    assert fourth.tags["dagster/partition"] != production

    # one stage from the UI's API touches nothing else
    before = dev.project.generations(production)
    params = {
        "selector": {
            "repositoryLocationName": "sparkle",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["aligned_video"]}],
        },
        "runConfigData": "{}",
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": production}]},
    }
    answer = dev.graphql(LAUNCH, {"params": params})
    assert answer["data"]["launchRun"]["__typename"] == "LaunchRunSuccess", answer
    *_, fifth = dev.finished(5)
    assert _launched_assets(dev, fifth) == ["aligned_video"]
    after = dev.project.generations(production)
    assert {asset for asset in after if after[asset] != before[asset]} == {"aligned_video"}

    # what cannot be a production says why, beside the file
    (dev.inbox / ".noise.wav").write_text("this is no sound at all")
    (dev.inbox / ".noise.wav").rename(dev.inbox / "noise.wav")
    reason = dev.wait("quarantine", lambda: list((dev.inbox / "quarantine").glob("*/REASON.txt")))[0]
    assert "the audio cannot be used" in reason.read_text()


@pytest.mark.requirement("S41")
def test_status_service_runs_beside_the_ui_and_knows_every_production(dev: Dev) -> None:
    address = dev.project.home / "service.json"
    url = dev.wait("the service is there", lambda: address.is_file() and json.loads(address.read_text())["url"])

    def status() -> dict[str, Any]:
        with urllib.request.urlopen(f"{url}/status", timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer

    productions = {run.tags["dagster/partition"] for run in dev.runs()}
    dev.wait("it has seen them all", lambda: sum(status()["counts"].values()) >= len(productions))
    health = dev.wait("it has seen the daemon", lambda: [part for part in status()["health"] if part["seen_at"]])
    assert {"daemon SENSOR", "daemon QUEUED_RUN_COORDINATOR", "sensor inbox"} <= {part["name"] for part in health}


def test_second_daemon_on_the_same_home_is_refused(dev: Dev) -> None:
    done = dev.project.command("dev")
    assert done.returncode == 1
    assert "daemon" in done.stderr
    assert "Traceback" not in done.stderr
