"""A candidate in shadow: on the same request, in keys of its own, failing nobody, and compared."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
from PIL import Image

from contracts.shadow import ShadowComparison
from sparkle_dagster.execution.lineage import find_made
from sparkle_dagster.execution.shadow import Shadow, candidate_shadows, comparisons, owed, run_shadow
from sparkle_dagster.execution.shadow_report import report_shadow
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from sparkle_dagster.workspace import Workspace
from tests.cheap import make_cheap_project
from tests.sparkle_dagster.execution.making import Maker

REGISTRY = "configs/tool_registry.yaml"
ALONE = "lipsync: {providers: [mouth]}"
LOG = logging.getLogger("shadow")


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Three productions of one voice with three faces."""
    maker = Maker(make_cheap_project(tmp_path_factory.mktemp("shadow") / "project"))
    maker.project.edit("configs/pipeline/workflow.yaml", "retries: {max: 1, delay_s: 5}", "retries: {max: 1}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(maker.project.root)
        patch.delenv("SPARKLE_HOME", raising=False)
        workspace = maker.workspace
        for number in range(3):
            face = maker.project.root / "face.png"
            Image.new("RGB", (16, 16), (number, 0, 0)).save(face)
            maker.make_in(workspace, maker.take_in(face=face))
        yield maker
    sys.modules.pop("cheap", None)


def only_shadow(workspace: Workspace) -> Shadow:
    (shadow,) = candidate_shadows(workspace)
    return shadow


def made_in_shadow(workspace: Workspace) -> list[ShadowComparison]:
    shadow = only_shadow(workspace)
    due = list(owed(workspace, shadow))
    return [run_shadow(workspace, shadow, key, run_id=f"run-{key}", logger=LOG) for key in due]


@pytest.mark.requirement("S57")
def test_candidate_is_compared_on_every_production_and_changes_none(maker: Maker) -> None:
    store = maker.project.store
    before = {key: store.read(key).document for key in store.keys("")}
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [othermouth]}"):
        workspace = maker.workspace
        found = made_in_shadow(workspace)
        assert [item.ended for item in found] == ["compared"] * 3
        assert list(owed(workspace, only_shadow(workspace))) == []
        report = report_shadow("lipsync.othermouth", comparisons(workspace, "shadow.lipsync.othermouth"))
        (production, *_) = [item.production for item in found]
        video = store.read(f"shadow.lipsync.othermouth.assembled_video/{production}").document["result"]
        why = find_made(workspace, video["assembled_video"]["checksum"].removeprefix("sha256:"))
    assert {key: store.read(key).document for key in before} == before
    assert {key.partition("/")[0] for key in store.keys("") if key not in before} == {
        "shadow.lipsync.othermouth",
        *(f"shadow.lipsync.othermouth.{asset}" for asset in ("aligned_video", "assembled_video", "qa_report")),
    }
    assert (report.compared, report.failed, report.primaries) == (3, 0, {"mouth": 3})
    (check,) = report.checks
    assert (check.primary, check.candidate, check.gain) == (40.0, 200.0, 160.0), "what the review measured"
    assert (check.low, check.high) == (160.0, 160.0), "the difference is the same in each"
    assert (report.winner, report.why) == ("candidate", "How red it is +160")
    assert report.latency_ratio is not None
    assert why.sources["lipsync"].place.startswith("shadow.lipsync.othermouth.aligned_video/")


def test_comparison_is_owed_again_when_either_side_changed(maker: Maker) -> None:
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [othermouth]}"):
        made_in_shadow(maker.workspace)
        with maker.changed("cheap.py", "made = picture(self.context, 200,", "made = picture(self.context, 201,"):
            workspace = maker.workspace
            assert len(list(owed(workspace, only_shadow(workspace)))) == 3, "the candidate"
        workspace = maker.workspace
        (first, *_) = [key.partition("/")[2] for key in workspace.store.keys("upload/")]
        with maker.changed(REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 2}"):
            maker.make(first)
        assert list(owed(workspace, only_shadow(workspace))) == [first], "what delivers"
        maker.make(first)


@pytest.mark.requirement("S57", "S34")
def test_shadow_that_fails_is_a_finding_and_no_failure(maker: Maker) -> None:
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [broken]}"):
        workspace = maker.workspace
        found = made_in_shadow(workspace)
        assert [item.ended for item in found] == ["failed"] * 3
        assert list(owed(workspace, only_shadow(workspace))) == [], "it is not tried for ever"
        report = report_shadow("lipsync.broken", comparisons(workspace, "shadow.lipsync.broken"))
    assert (report.compared, report.failed, report.candidate_failed_attempts) == (0, 3, 6)
    (error,) = report.errors
    assert error.startswith("lipsync: ProviderFailed: lipsync/broken: the mouth fell off")
    assert (report.winner, report.why) == ("primary", "3 failure(s)")


def test_candidate_that_cannot_run_here_is_owed_nothing(maker: Maker) -> None:
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [weighted]}"):
        workspace = maker.workspace
        assert list(owed(workspace, only_shadow(workspace))) == [], "its weights are missing"


@pytest.mark.requirement("S57")
def test_promoted_candidate_is_found_stored(maker: Maker) -> None:
    """What was made in shadow is not made again when its provider delivers."""
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [othermouth]}"):
        workspace = maker.workspace
        (again, *_) = workspace.store.keys("shadow.lipsync.othermouth/")
        found = run_shadow(workspace, only_shadow(workspace), again.partition("/")[2], run_id="again", logger=LOG)
        assert found.candidate.latency_ms, "in shadow it is always made anew"
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [othermouth]}"):
        workspace = maker.workspace
        (first, *_) = [key.partition("/")[2] for key in workspace.store.keys("upload/")]
        record = maker.make(first, ["lipsync"])["lipsync"]
    assert (record.status, record.cached_from.partition("@")[0]) == (
        "cached",
        f"shadow.lipsync.othermouth.aligned_video/{first}",
    )
    maker.make(first)


def test_shadow_is_stopped_at_once_and_is_owed_as_before(maker: Maker) -> None:
    stop = threading.Event()
    stop.set()
    with maker.changed(REGISTRY, ALONE, "lipsync: {providers: [mouth], shadow: [alsobroken]}"):
        workspace = maker.workspace
        shadow = only_shadow(workspace)
        due = list(owed(workspace, shadow))
        with pytest.raises(AttemptStopped):
            run_shadow(workspace, shadow, due[0], run_id="run", logger=LOG, stop=stop)
        assert list(owed(workspace, shadow)) == due
