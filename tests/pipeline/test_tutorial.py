"""docs/write-a-provider.md, executed: its code is saved, its lines are put into the registry, and the face talks."""

import re
import subprocess
import sys

import pytest

from tests.project import SOURCE, Project

TUTORIAL = (SOURCE / "docs/write-a-provider.md").read_text()


def block(file: str) -> str:
    """The code block of the tutorial that says which file it is."""
    match = re.search(rf"^```\w+ file={re.escape(file)}\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    assert match, f"the tutorial has no block for {file}"
    return match[1]


def install(project: Project) -> None:
    """Do what the tutorial says, in its own words."""
    (project.root / "dummy_lipsync.py").write_text(block("dummy_lipsync.py"))
    selection, options = re.findall(r"^(lipsync: .*|    dummy: .*)$", block("configs/tool_registry.yaml"), re.MULTILINE)
    registry = project.root / "configs/tool_registry.yaml"
    text = re.sub(r"^lipsync: .*$", selection, registry.read_text(), flags=re.MULTILINE)
    registry.write_text(text.replace("\n  lipsync:\n", f"\n  lipsync:\n{options}\n"))


@pytest.mark.requirement("S51")
def test_tutorial_provider_is_short() -> None:
    lines = [line for line in block("dummy_lipsync.py").splitlines() if line.strip()]
    assert len(lines) < 40


@pytest.mark.requirement("S1", "S25", "S29", "S51", "S59")
def test_tutorial_provider_is_selected_by_configuration_alone(project: Project) -> None:
    install(project)
    lipsync = next(item for item in project.sparkle("providers") if item["capability"] == "lipsync")
    assert lipsync["selected"] == "dummy"
    samples = project.root / "samples"
    answer = project.sparkle(
        "run", samples / "voice_short.wav", "--transcript", samples / "voice_short.txt", "--profile", "draft"
    )
    nodes = {node["node_id"]: node for node in project.sparkle("show", answer["production"])["nodes"]}
    assert nodes["lipsync"]["provider"] == "dummy"
    assert nodes["lipsync"]["metrics"]["animated_frame_count"] > 100
    assert nodes["video"]["provider"] == "pyav"


@pytest.mark.requirement("S12", "S51")
def test_tutorial_provider_keeps_every_promise_by_command_and_by_pytest(project: Project) -> None:
    install(project)
    answer = project.sparkle("providers", "--check", "dummy_lipsync:DummyLipSync")
    assert (answer["failed"], answer["skipped"]) == (0, 0)
    shown = re.search(r"^\$ sparkle providers --check.*?\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    assert shown
    said = {f"{case['outcome']:8}it {case['says']}" for case in answer["cases"]}
    lines = [line for line in shown[1].splitlines() if line != "..."]
    assert lines.pop() == f"{answer['passed']} passed"
    assert set(lines) <= said
    (project.root / "test_dummy_lipsync.py").write_text(block("test_dummy_lipsync.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_dummy_lipsync.py"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert f"{answer['passed'] + 1} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.requirement("S51")
def test_typo_in_an_option_is_one_readable_line(project: Project) -> None:
    install(project)
    project.edit("configs/tool_registry.yaml", "drop:", "dorp:")
    done = project.command("validate")
    assert done.returncode == 1
    assert re.search(r"configs/tool_registry\.yaml:\d+: .*dorp", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
