"""From an artifact back to everything that it was made from, and made again: the three verdicts."""

from collections.abc import Iterator

import pytest

from contracts.errors import ArtifactMissing
from sparkle_dagster.execution.definition import changes, read_definition
from sparkle_dagster.execution.lineage import Made, find_made
from sparkle_dagster.execution.replay import replay
from tests.cheap import make_cheap_project
from tests.sparkle_dagster.execution.making import Maker

REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    project = make_cheap_project(tmp_path_factory.mktemp("replay") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(project.root)
        patch.delenv("SPARKLE_HOME", raising=False)
        yield Maker(project)


@pytest.fixture(scope="module")
def production(maker: Maker) -> str:
    key = maker.take_in(options="title: One")
    maker.make(key)
    return key


def film(maker: Maker, production: str) -> Made:
    checksum: str = maker.project.result("assembled_video", production)["assembled_video"]["checksum"]
    return find_made(maker.workspace, checksum.removeprefix("sha256:"))


@pytest.mark.requirement("S4", "S60")
def test_artifact_leads_back_to_options_inputs_definition_and_upload(maker: Maker, production: str) -> None:
    made = film(maker, production)
    assert made.place == f"assembled_video/{production}@1"
    assert [part.place.partition("/")[0] for part in made.chain()] == [
        "upload",
        "script",
        "aligned_video",
        "assembled_video",
    ]
    lipsync = made.sources["lipsync"]
    assert lipsync.record.options == {"shade": 1}
    assert made.definition is not None
    assert made.definition.document["providers"]["lipsync"]["mouth"]["class"] == "cheap:Mouth"
    assert made.definition.digest == made.record.definition_digest


def test_unknown_artifact_is_an_error(maker: Maker) -> None:
    with pytest.raises(ArtifactMissing, match="found none that was made here"):
        find_made(maker.workspace, "f" * 64)


@pytest.mark.requirement("S60")
def test_same_configuration_is_bit_equal(maker: Maker, production: str) -> None:
    found = replay(maker.workspace, film(maker, production))
    assert found.verdict == "bit-equal"
    assert [node.node_id for node in found.nodes] == ["script", "lipsync", "video"]
    assert all(node.notes == () for node in found.nodes)


@pytest.mark.requirement("S60")
def test_other_bytes_with_the_same_metrics_are_metric_equal(maker: Maker, production: str) -> None:
    made = film(maker, production)
    with maker.changed("cheap.py", "made = picture(self.context, red,", "made = picture(self.context, 7,"):
        found = replay(maker.workspace, made.sources["lipsync"])
    assert found.verdict == "metric-equal"
    assert found.nodes[-1].metrics["frame_count"] == (1, 1)
    assert found.nodes[-1].notes[0].startswith("code of mouth")


@pytest.mark.requirement("S60")
def test_node_that_comes_out_otherwise_is_the_one_that_is_named(maker: Maker, production: str) -> None:
    made = film(maker, production)
    with maker.changed("cheap.py", "LipSyncMetrics(frame_count=1)", "LipSyncMetrics(frame_count=2)"):
        found = replay(maker.workspace, made)
    assert found.verdict == "differs at node lipsync"
    assert [node.verdict for node in found.nodes] == ["bit-equal", "differs", "bit-equal"]


@pytest.mark.requirement("S60", "X6")
def test_old_production_stays_explainable_after_configuration_moved_on(maker: Maker, production: str) -> None:
    made = film(maker, production)
    with (
        maker.changed(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [othermouth]}"),
        maker.changed(REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', shade: 7}"),
        maker.changed(WORKFLOW, "no_face_policy: pass_through", "no_face_policy: hold_last"),
    ):
        workspace = maker.workspace
        assert replay(workspace, made).verdict == "bit-equal", "it is made with the options of then"
        assert made.definition is not None
        lines = changes(made.definition, workspace.definition)
    assert "workflow.nodes.lipsync.params.no_face_policy: 'pass_through' -> 'hold_last'" in lines
    assert "registry.lipsync.providers: ['mouth'] -> ['othermouth']" in lines


@pytest.mark.requirement("S60", "S48")
def test_definition_keeps_secrets_and_places_as_references(maker: Maker, production: str) -> None:
    maker.project.edit(REGISTRY, "{use: 'cheap:Mouth'}", "{use: 'cheap:Mouth', secret: 'env:MOUTH_KEY', shade: 1}")
    maker.project.edit("cheap.py", "        shade: int = 1\n", '        shade: int = 1\n        secret: str = ""\n')
    text = str(maker.workspace.definition.document)
    assert "env:MOUTH_KEY" in text
    assert str(maker.project.root) not in text
    record = maker.make(production, ["lipsync"])["lipsync"]
    assert record.definition is not None
    assert read_definition(maker.workspace.store, record.definition).digest == record.definition_digest
