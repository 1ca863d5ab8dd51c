"""What it costs to swap the lip-sync provider: lines of configuration, counted by git, none of anything else."""

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.pipeline import test_tutorial
from tests.project import SOURCE, Project

DOCUMENT = SOURCE / "docs/swap.md"
REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"


def git(project: Project, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=project.root, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def to_another_installed_one(project: Project) -> None:
    project.edit(REGISTRY, "lipsync: {enabled: true, providers: [wav2lip, mouth_warp]}", "lipsync: {providers: [noop]}")


def to_a_class_of_ones_own(project: Project) -> None:
    test_tutorial.install(project)


def in_one_node_alone(project: Project) -> None:
    project.edit(
        WORKFLOW, "    outputs: [aligned_video]\n", "    outputs: [aligned_video]\n    provider: lipsync/noop\n"
    )


def off(project: Project) -> None:
    project.edit(REGISTRY, "lipsync: {enabled: true", "lipsync: {enabled: false")


SWAPS: dict[str, tuple[Callable[[Project], None], str]] = {
    "to another installed provider": (to_another_installed_one, "noop"),
    "to a class of one's own, as the tutorial does": (to_a_class_of_ones_own, "dummy"),
    "in one node alone": (in_one_node_alone, "mouth_warp"),
    "off: the no-op runs": (off, "noop"),
}
"""What is swapped -> how, and which provider the registry selects then."""


def measured(diff: str) -> list[str]:
    """``file +added -removed`` for each file of ``git diff --numstat``."""
    return [f"`{file}` +{added} -{removed}" for added, removed, file in map(str.split, diff.splitlines())]


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.requirement("S64")
def test_a_swap_touches_lines_of_configuration_and_nothing_else(project: Project, swap: str) -> None:
    (project.root / "dummy_lipsync.py").write_text(test_tutorial.block("dummy_lipsync.py"))  # the new provider itself
    git(project, "init", "-q")
    git(project, "add", "configs", "samples", "workspace.yaml", "dummy_lipsync.py")
    git(project, "commit", "-qm", "as shipped")
    make, selected = SWAPS[swap]
    make(project)
    touched = measured(git(project, "diff", "--numstat"))
    assert all(re.match(r"`configs/", line) for line in touched), touched
    assert f"| {swap} | {', '.join(touched)} | 0 |" in DOCUMENT.read_text()
    project.sparkle("validate")
    lipsync = next(item for item in project.sparkle("providers") if item["capability"] == "lipsync")
    assert lipsync["selected"] == selected


def test_every_measured_swap_stands_in_the_document() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == list(SWAPS)
