"""A policy node, by YAML alone: approves, asks for other runs up to its bound, or asks a person and holds nobody."""

import fcntl
from typing import Any

import pytest

from sparkle_dagster.client import PipelineClient
from sparkle_dagster.defs.reaper import LAUNCH_TAG
from sparkle_dagster.defs.run_lock import locks_folder
from sparkle_dagster.execution.decisions import approvals
from tests.cheap import make_cheap_project, second_of_sound
from tests.project import SOURCE, Project
from tests.service import serving

REGISTRY = "configs/tool_registry.yaml"
POLICY = "configs/qa/policy.yaml"
RULES = """
schema_version: 1
at_most: 2
rules:
  - {name: red enough, verdict: [approve], then: approve}
  - {name: not red enough, failed: [redness], regenerate: {node: lipsync, provider: next}}
  - {name: still not red enough, failed: [redness], regenerate: {node: lipsync, provider: mouth, options: {shade: 6}}}
  - {name: a third way, failed: [redness], regenerate: {node: lipsync, options: {shade: 7}}}
  - {name: a person looks, then: escalate}
"""
AFTER_LIPSYNC = ["aligned_video", "assembled_video", "qa_report", "decision", "report"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example workflow; the pictures of one mouth are 40 red, of the other 200."""
    project = make_cheap_project(tmp_path_factory.mktemp("policy") / "project")
    example = (SOURCE / "configs/pipeline/with-policy.yaml").read_text()
    (project.root / "configs/pipeline/workflow.yaml").write_text(example)
    (project.root / POLICY).write_text(RULES)
    project.edit(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [mouth, othermouth]}")
    return project


@pytest.fixture(scope="module")
def escalated(project: Project) -> str:
    """A production that no run makes red enough."""
    wants(project, 250)
    production: str = project.sparkle("run", second_of_sound(project.root / "three.wav", 3))["production"]
    return production


def wants(project: Project, least: int) -> None:
    """How red the review wants the picture."""
    path = project.root / REGISTRY
    before, _, after = path.read_text().partition("    judge: {")
    path.write_text(f"{before}    judge: {{use: 'cheap:Judge', least: {least}}}\n{after.partition(chr(10))[2]}")


def decision(project: Project, production: str) -> dict[str, Any]:
    found: dict[str, Any] = project.result("decision", production)["decision"]
    return found


@pytest.mark.requirement("S53")
def test_review_that_approves_is_approved(project: Project) -> None:
    wants(project, 30)
    production = project.sparkle("run", second_of_sound(project.root / "one.wav", 1))["production"]
    assert (decision(project, production)["action"], decision(project, production)["rule"]) == ("approve", "red enough")
    assert project.sparkle("show", production)["verdict"] == "approve"
    assert project.generations(production)["aligned_video"] == 1


@pytest.mark.requirement("S53")
def test_rejected_review_is_made_again_with_the_next_provider_and_stays_so(project: Project) -> None:
    wants(project, 100)
    production = project.sparkle("run", second_of_sound(project.root / "two.wav", 2))["production"]
    found = decision(project, production)
    assert (found["action"], [item["provider"] for item in found["regenerations"]]) == ("approve", ["othermouth"])
    assert project.generations(production)["aligned_video"] == 2
    record = project.store.read(f"aligned_video/{production}").document["record"]
    assert (record["provider"], record["switches"]) == ("othermouth", {"provider": "othermouth"})
    first = project.store.read(f"decision/{production}", 1).document["result"]
    assert first["notes"] == ["not red enough: lipsync is made again by othermouth (1 of at most 2)"]
    assert project.sparkle("refresh", production)[0]["runs"] == [], "what the policy chose is what is up to date"


@pytest.mark.requirement("S53", "X9")
def test_runs_end_at_their_bound_and_a_person_is_asked(project: Project, escalated: str) -> None:
    production = escalated
    found = decision(project, production)
    tried = [(item["provider"], item["options"]) for item in found["regenerations"]]
    assert tried == [("othermouth", {}), ("mouth", {"shade": 6})], "two, and the third way is not gone"
    assert (found["action"], found["rule"]) == ("escalate", "a person looks")
    assert project.generations(production)["aligned_video"] == 3
    assert project.result("report", production)["verdict"] == "review"
    shown = project.command("status", production).stdout
    assert f"sparkle approve {production}" in shown
    with project.instance() as instance:
        assert {run.status.value for run in instance.get_runs()} == {"SUCCESS"}, "nobody waits"
    assert project.tick("decisions")["requests"] == []


@pytest.mark.requirement("S53", "X9", "S38")
def test_persons_word_is_carried_out_by_the_sensor_and_kept_by_gc(project: Project, escalated: str) -> None:
    production = escalated
    wants(project, 250)
    project.sparkle("approve", production, "--by", "Ada", "--note", "red enough for me")
    (request,) = project.tick("decisions")["requests"]
    assert request["production"] == production
    assert request["assets"] == ["decision", "report"]
    assert project.tick("decisions")["requests"] == [request], "the same key until it has run: Dagster starts it once"
    (answer,) = project.sparkle("refresh", production)
    assert answer["runs"] == [["decision", "report"]]
    found = decision(project, production)
    assert (found["action"], found["reason"]) == ("approve", "Ada said approve: red enough for me")
    assert project.result("report", production)["verdict"] == "approve"
    assert project.tick("decisions")["requests"] == []
    assert project.sparkle("gc", "--dry-run")["protected"] == {production: "approved by Ada"}
    project.sparkle("reject", production, "--by", "Ada")
    project.sparkle("refresh", production)
    assert project.result("report", production)["verdict"] == "reject"
    assert approvals(project.store) == {}


@pytest.mark.requirement("S53", "S58", "X9")
def test_word_on_one_video_said_over_http_says_nothing_of_another(project: Project, escalated: str) -> None:
    production = escalated
    wants(project, 250)
    with serving(project) as service, PipelineClient(service.url) as client:
        answer = service.post(f"/productions/{production}/approve")
        assert (answer.status_code, "by: Field required" in answer.text) == (422, True), (
            "nobody's word counts for nothing"
        )
        assert service.post("/productions/nobody/reject", {"by": "Ada"}).status_code == 404
        assert client.reject(production, by="Ada").verdict == "reject"
        said = client.approve(production, by="Ada", note="over the wire")
    video = project.result("assembled_video", production)["assembled_video"]
    assert (said.verdict, said.by, f"sha256:{said.of}") == ("approve", "Ada", video["checksum"])
    project.sparkle("rerun", production, "--from", "lipsync", "--provider", "lipsync=othermouth")
    found = decision(project, production)
    assert (found["action"], found["rule"]) == ("escalate", "a person looks")
    project.sparkle("refresh", production)
    found = decision(project, production)
    assert (found["action"], found["reason"]) == ("approve", "Ada said approve: over the wire"), (
        "the approved one is back"
    )


@pytest.mark.requirement("S53")
def test_sensor_asks_for_the_run_that_a_policy_wants(project: Project) -> None:
    """Where no command carries on: after a run of the UI, the daemon or `rerun`."""
    wants(project, 30)
    production = project.sparkle("run", second_of_sound(project.root / "four.wav", 4))["production"]
    cursor = project.tick("decisions")["cursor"]
    wants(project, 100)
    project.sparkle("rerun", production, "--from", "qa")
    assert decision(project, production)["action"] == "regenerate"
    assert f"sparkle refresh {production}" in project.command("status", production).stdout
    with project.instance() as instance:
        launch = instance.get_runs(limit=1)[0].tags[LAUNCH_TAG]
    with (locks_folder(project.home) / f"{launch}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        asked = project.tick("decisions", cursor)
        assert (asked["requests"], asked["cursor"]) == ([], cursor), "the command that made it lives, and carries on"
    (request,) = project.tick("decisions", cursor)["requests"]
    assert (request["production"], request["assets"]) == (production, AFTER_LIPSYNC)


@pytest.mark.requirement("S53")
def test_what_cannot_be_approved_is_refused_in_words(project: Project) -> None:
    wants(project, 250)
    voice = second_of_sound(project.root / "five.wav", 5)
    production = project.sparkle("run", voice, "--tag", "no-lipsync")["production"]
    assert decision(project, production)["action"] == "escalate", "a node that is turned off stays so"
    refused = project.command("approve", production)
    assert refused.returncode == 1
    assert "is passthrough" in refused.stderr
