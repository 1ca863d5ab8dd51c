"""A plan says what a run will do, and why; what cannot be met exactly is refused."""

# ruff: noqa: E501  one case stands on one line

from collections.abc import Iterator

import pytest

from contracts.errors import ConfigError
from sparkle_dagster.execution.plan import Plan, Planner
from sparkle_dagster.execution.selection import select
from sparkle_dagster.execution.switches import NodeSwitches
from tests.cheap import make_cheap_project
from tests.sparkle_dagster.execution.making import Maker

REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    project = make_cheap_project(tmp_path_factory.mktemp("plan") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(project.root)
        patch.delenv("SPARKLE_HOME", raising=False)
        yield Maker(project)


@pytest.fixture(scope="module")
def fresh(maker: Maker) -> str:
    """Taken in; nothing made."""
    return maker.take_in(1)


@pytest.fixture(scope="module")
def made(maker: Maker) -> str:
    key = maker.take_in(2, options="title: One")
    maker.make(key)
    return key


def plan(maker: Maker, production: str, switches: dict[str, NodeSwitches] | None = None, **chosen: str) -> Plan:
    workspace = maker.workspace
    return Planner(workspace).plan(production, select(workspace.workflow, **chosen), switches)


def told(found: Plan) -> dict[str, tuple[str, str]]:
    return {node.node_id: (node.planned.value, node.why) for node in found.nodes}


@pytest.mark.requirement("S8", "S62")
def test_production_that_was_only_taken_in_runs_whole(maker: Maker, fresh: str) -> None:
    found = plan(maker, fresh)
    assert told(found)["script"] == ("RUN", "never made")
    assert told(found)["lipsync"][1].startswith("script is made before it")
    assert found.assets == ("script", "aligned_video", "assembled_video", "qa_report", "report")


def test_finished_production_is_up_to_date(maker: Maker, made: str) -> None:
    found = plan(maker, made)
    assert set(told(found).values()) == {("HIT", "up to date")}
    assert found.assets == ("report",), "the report was never made"


REASONS = {
    "provider": (REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [othermouth]}", "provider: mouth -> othermouth"),
    "option": (REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 2}", "option shade: 1 -> 2"),
    "definition": (WORKFLOW, "no_face_policy: pass_through", "no_face_policy: hold_last", "params.no_face_policy changed"),
    "delivery": (REGISTRY, "preset: veryfast, crf: 20", "preset: veryfast, crf: 21", "the delivery profile changed"),
    "input": (WORKFLOW, "language: upload.language, script: script.script}\n    params", "language: script.text, script: script.script}\n    params", "script.text changed"),
}  # fmt: skip


EVERYWHERE = {"delivery"}
"""Changes of more than lip-sync."""


@pytest.mark.requirement("S62", "X2")
@pytest.mark.parametrize("what", REASONS)
def test_reason_names_what_changed(maker: Maker, made: str, what: str) -> None:
    file, old, new, why = REASONS[what]
    with maker.changed(file, old, new):
        found = plan(maker, made)
    planned, reason = told(found)["lipsync"]
    assert planned == "RUN"
    assert why in reason
    if what not in EVERYWHERE:
        assert reason == why
        assert told(found)["script"] == ("HIT", "up to date")
        assert found.assets == ("aligned_video", "assembled_video", "qa_report", "report")


def test_title_touches_the_video_and_what_follows_alone(maker: Maker) -> None:
    key = maker.take_in(3, options="title: One")
    maker.make(key)
    upload = maker.workspace.read_document("upload", key)
    upload["result"]["title"], upload["fields"]["title"] = "Two", "0" * 64
    maker.workspace.store.commit(f"upload/{key}", upload, attempt_id="title")
    found = told(plan(maker, key))
    assert found["lipsync"] == ("HIT", "up to date")
    assert found["video"] == ("RUN", "upload.title changed")


def test_older_result_is_a_hit_that_says_where(maker: Maker, made: str) -> None:
    with maker.changed(REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 9}"):
        maker.make(made)
    found = plan(maker, made)
    assert [node.planned.value for node in found.nodes] == ["HIT"] * 4
    assert told(found)["lipsync"][1] == f"stored as aligned_video/{made}@1"
    assert found.assets[0] == "aligned_video"
    maker.make(made)
    assert plan(maker, made).assets == ("report",)


@pytest.mark.requirement("S33")
def test_node_that_is_turned_off_passes(maker: Maker, made: str) -> None:
    found = plan(maker, made, {"lipsync": NodeSwitches(enabled=False)}, from_="lipsync")
    assert told(found)["lipsync"] == ("PASS", "lipsync is turned off")
    with maker.changed(WORKFLOW, "skip_if: \"'no-lipsync' in", "skip_if: \"'no-lipsync' not in"):
        planned, why = told(plan(maker, made))["lipsync"]
    assert planned == "PASS"
    assert why == "skip_if 'no-lipsync' not in upload.tags is true: upload.tags is []"


@pytest.mark.requirement("X13")
def test_seconds_come_from_what_ran_here(maker: Maker, made: str) -> None:
    found = plan(maker, made, {"script": NodeSwitches(force=True)}, only="script")
    estimate = found.nodes[0].estimate
    assert estimate is not None
    assert 0 < estimate.least <= estimate.seconds <= estimate.most
    assert found.seconds == estimate
    other = plan(maker, made, {"lipsync": NodeSwitches(provider="othermouth")}, only="lipsync")
    assert other.nodes[0].estimate is None, "it never ran here"


@pytest.mark.requirement("X13")
def test_what_was_found_stored_pushes_no_run_out_of_the_past(maker: Maker) -> None:
    production = maker.take_in(26)
    maker.make(production)

    def runs_known() -> int:
        (script,) = plan(maker, production, {"script": NodeSwitches(force=True)}, only="script").nodes
        return script.estimate.count if script.estimate else 0

    before = runs_known()
    for _ in range(3):
        maker.make(production)
    assert runs_known() == before > 0


def test_forced_plan_promises_nothing_stored(maker: Maker, made: str) -> None:
    switches = {name: NodeSwitches(force=True) for name in ("lipsync", "video", "qa")}
    forced = plan(maker, made, switches, from_="lipsync")
    assert [node.why for node in forced.nodes] == ["--force", "lipsync is made before it", "lipsync is made before it"]


def test_failover_of_the_past_is_no_reason_to_run_again(maker: Maker) -> None:
    key = maker.take_in(4)
    with maker.changed(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [broken, mouth]}"):
        maker.make(key)
        assert told(plan(maker, key))["lipsync"] == ("HIT", "up to date")
        with maker.changed(
            REGISTRY, "{use: 'cheap:Broken'}\n    alsobroken", "{use: 'cheap:Broken', shade: 3}\n    alsobroken"
        ):
            assert told(plan(maker, key))["lipsync"][0] == "RUN", "it is not the same provider that failed"


def test_another_version_or_code_of_a_provider_is_named(maker: Maker) -> None:
    key = maker.take_in(5)
    maker.make(key, ["script"])
    with maker.changed(
        "cheap.py", "class Script(ScriptGenerationTask):", 'class Script(ScriptGenerationTask):\n    version = "2"\n'
    ):
        assert told(plan(maker, key))["script"] == ("RUN", "version of script: 1 -> 2")
    with maker.changed("cheap.py", '"""Makes other bytes."""', '"""Makes quite other bytes."""'):
        assert told(plan(maker, key))["script"] == ("RUN", "code of script")


def test_selection_is_exact(maker: Maker, made: str) -> None:
    assert plan(maker, made, only="video").assets == ("assembled_video",)
    assert plan(maker, made, from_="video").assets == ("assembled_video", "qa_report", "report")
    assert plan(maker, made, until="lipsync").assets == ("script", "aligned_video")
    assert plan(maker, made, from_="lipsync", until="video").assets == ("aligned_video", "assembled_video")


REFUSED = {
    "a node that lacks what it reads": ("fresh", {"only": "video"}, {}, "make it first: --from lipsync"),
    "an end before the beginning": ("made", {"from_": "video", "until": "script"}, {}, "follows video, got script"),
    "one node and a range": ("made", {"only": "video", "until": "qa"}, {}, "expected --only NODE, or --from and --until"),
    "an unknown node": ("made", {"from_": "vidoe"}, {}, "got 'vidoe'"),
    "an unknown provider": ("made", {}, {"lipsync": NodeSwitches(provider="nobody")}, "unknown provider 'nobody'"),
    "a provider that cannot run": ("made", {}, {"lipsync": NodeSwitches(provider="weighted")}, "expected the weights 'net'"),
    "a provider and the no-op": ("made", {}, {"lipsync": NodeSwitches(provider="mouth", enabled=False)}, "the same run turns"),
}  # fmt: skip


@pytest.mark.requirement("S62")
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_met_exactly_is_refused(maker: Maker, fresh: str, made: str, what: str) -> None:
    production, chosen, switches, message = REFUSED[what]
    with pytest.raises(ConfigError) as caught:
        plan(maker, {"fresh": fresh, "made": made}[production], switches, **chosen)
    assert message in str(caught.value)


def test_provider_for_a_node_that_its_condition_turns_off_is_refused(maker: Maker, made: str) -> None:
    with (
        maker.changed(WORKFLOW, "skip_if: \"'no-lipsync' in", "skip_if: \"'no-lipsync' not in"),
        pytest.raises(ConfigError, match="which would not run: skip_if"),
    ):
        plan(maker, made, {"lipsync": NodeSwitches(provider="mouth")})


def test_launchpad_refuses_what_a_plan_refuses(maker: Maker, made: str) -> None:
    with pytest.raises(ConfigError, match="expected the weights 'net'"):
        maker.make(made, ["lipsync"], provider="weighted")


def test_planner_reads_the_past_once(maker: Maker, made: str) -> None:
    planner = Planner(maker.workspace)
    planner.plan(made)
    first = planner.history
    planner.plan(made)
    assert first is not None
    assert planner.history is first
