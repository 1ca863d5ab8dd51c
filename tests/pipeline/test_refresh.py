"""Swapping a provider and refreshing many productions runs that node and what follows once each, and nothing else."""

import sys
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.cheap import make_cheap_project
from tests.sparkle_dagster.execution.making import Maker

MANY = 20
REGISTRY = "configs/tool_registry.yaml"
MADE_AGAIN = ["aligned_video", "assembled_video", "qa_report", "report"]


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Twenty finished productions: one voice, twenty faces."""
    maker = Maker(make_cheap_project(tmp_path_factory.mktemp("refresh") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(maker.project.root)
        patch.delenv("SPARKLE_HOME", raising=False)
        workspace = maker.workspace
        for number in range(MANY):
            face = maker.project.root / "face.png"
            Image.new("RGB", (16, 16), (number, 0, 0)).save(face)
            maker.make_in(workspace, maker.take_in(face=face))
        yield maker
    sys.modules.pop("cheap", None)


@pytest.mark.requirement("X2", "U6")
@pytest.mark.system
@pytest.mark.timeout(900)
def test_swapped_provider_runs_it_and_what_follows_once_each(maker: Maker) -> None:
    project = maker.project
    project.sparkle("refresh", "--all")  # the reports
    assert all(answer["runs"] == [] for answer in project.sparkle("refresh", "--all"))
    before = {key: project.generations(key.removeprefix("upload/")) for key in project.store.keys("upload/")}
    assert len(before) == MANY
    project.edit(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [othermouth]}")
    due = project.sparkle("refresh", "--all", "--dry-run")
    assert [found["assets"] for found in due] == [MADE_AGAIN] * MANY
    answers = project.sparkle("refresh", "--all")
    assert [answer["runs"] for answer in answers] == [[MADE_AGAIN]] * MANY
    for key, generations in before.items():
        production = key.removeprefix("upload/")
        after = project.generations(production)
        assert {asset for asset in after if after[asset] != generations[asset]} == set(MADE_AGAIN)
        assert all(after[asset] == generations[asset] + 1 for asset in MADE_AGAIN)
        record = project.store.read(f"aligned_video/{production}").document["record"]
        assert (record["provider"], record["status"]) == ("othermouth", "succeeded")
    assert [answer["runs"] for answer in project.sparkle("refresh", "--all")] == [[]] * MANY
