"""Dagster's own tools accept the code location, and its shape is a golden file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Made
from tests.project import SOURCE

GOLDEN = Path(__file__).parent / "golden/code_location.json"


@pytest.mark.requirement("U8")
@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "definitions", "validate", "-w", "workspace.yaml"],
        ["dg", "check", "defs"],
        ["dg", "list", "defs", "--json"],
    ],
    ids=" ".join,
)
def test_dagsters_tools_accept_the_project(command: list[str]) -> None:
    program = str(Path(sys.executable).parent / command[0])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "SPARKLE"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [program, *command[1:]], cwd=SOURCE, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _shape(made: Made) -> dict[str, Any]:
    from sparkle_dagster.definitions import build_definitions
    from sparkle_dagster.workspace import load_workspace

    graph = build_definitions(load_workspace(made.project.root)).resolve_asset_graph()
    assets = {}
    with made.project.instance() as instance:
        for key in graph.get_all_asset_keys():
            node = graph.get(key)
            (first,) = instance.fetch_materializations(key, limit=1, ascending=True).records  # the newest may be cached
            assert first.asset_materialization is not None
            assets[key.to_user_string()] = {
                "waits_for": sorted(parent.to_user_string() for parent in node.parent_keys),
                "checks": sorted(check.name for check in node.check_keys),
                "group": node.group_name,
                "kinds": sorted(tag for tag in node.tags if tag.startswith("dagster/kind")),
                "tags": {name: value for name, value in sorted(node.tags.items()) if name.startswith("sparkle/")},
                "metadata": sorted(first.asset_materialization.metadata),
            }
    return assets


@pytest.mark.requirement("S4", "S10", "U1", "U5")
def test_graph_and_metadata_keys_are_as_recorded(made: Made) -> None:
    found = _shape(made)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(GOLDEN.read_text()), "meant? run this test once with UPDATE_GOLDEN=1 and commit the file"


@pytest.mark.requirement("S6", "S37")
def test_another_root_gives_the_same_digests(made: Made, tmp_path: Path) -> None:
    from tests.project import make_project

    project = make_project(tmp_path / "somewhere/else")
    samples = project.root / "samples"
    answer = project.sparkle(
        "run", samples / "voice_short.wav", "--transcript", samples / "voice_short.txt", "--profile", "draft"
    )
    versions = {
        node["node_id"]: node["data_version"] for node in project.sparkle("show", answer["production"])["nodes"]
    }
    elsewhere = {node["node_id"]: node["data_version"] for node in made.project.sparkle("show", made.key)["nodes"]}
    assert answer["production"] == made.key
    assert versions == elsewhere
