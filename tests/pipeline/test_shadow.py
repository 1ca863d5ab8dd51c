"""Shadows from outside: owed ones are made when nobody waits, a production comes first, a report says who wins."""

import json
import subprocess
import sys
import time

import pytest

from tests.cheap import make_cheap_project, second_of_sound
from tests.project import Project

REGISTRY = "configs/tool_registry.yaml"
WORKFLOW = "configs/pipeline/workflow.yaml"
SLOW = """

class Slow(Mouth):
    def run(self, request):
        import time

        time.sleep(600)


class Unhurried(Mouth):  # a production is looked for once a second
    def run(self, request):
        import time

        time.sleep(3)
        return super().run(request)


Mouth = Unhurried
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With one finished production and a candidate in shadow."""
    project = make_cheap_project(tmp_path_factory.mktemp("shadow") / "project")
    project.edit(REGISTRY, "lipsync: {providers: [mouth]}", "lipsync: {providers: [mouth], shadow: [othermouth]}")
    project.sparkle("run", second_of_sound(project.root / "one.wav"))
    return project


@pytest.mark.requirement("S57")
def test_owed_shadow_is_asked_for_last_and_made_once(project: Project) -> None:
    (request,) = project.tick("shadows")["requests"]
    assert request["config"]["ops"]["make_shadow"]["config"]["shadow"] == "lipsync.othermouth"
    assert int(request["tags"]["dagster/priority"]) < 0
    (lipsync,) = [item for item in project.sparkle("providers") if item["capability"] == "lipsync"]
    (beside,) = [item for item in lipsync["providers"] if item["name"] == "othermouth"]
    assert (beside["state"], beside["reason"]) == ("not_listed", "runs in shadow")
    (made,) = project.sparkle("shadow", "run")["made"]
    assert made["comparison"]["ended"] == "compared"
    assert project.sparkle("shadow", "run") == {"owed": 0, "made": []}
    assert project.tick("shadows")["skipped"] == "everything is compared"


@pytest.mark.requirement("S57")
def test_second_workflow_runs_beside_on_the_same_upload(project: Project) -> None:
    text = (project.root / WORKFLOW).read_text().replace("name: talking-video", "name: other-way")
    assert "    outputs: [aligned_video]\n" in text
    second = project.root / "second.yaml"
    second.write_text(
        text.replace("    outputs: [aligned_video]\n", "    outputs: [mouths]\n    provider: lipsync/othermouth\n")
    )
    voice = second_of_sound(project.root / "two.wav", 2)
    done = project.command("run", voice, "--shadow-workflow", second)
    assert done.returncode == 0, done.stderr
    assert "shadow workflow.other-way" in done.stdout
    assert done.stdout.index("video   ") < done.stdout.index("would have delivered"), "what delivers comes first"
    (report,) = project.sparkle("shadow", "report", "workflow")
    assert (report["shadow"], report["compared"]) == ("other-way", 1)
    (production,) = [key.partition("/")[2] for key in project.store.keys("shadow-workflow.other-way/")]
    ours, theirs = (project.result(name, production) for name in ("aligned_video", "shadow-workflow.other-way.mouths"))
    assert theirs["aligned_video"]["checksum"] != ours["aligned_video"]["checksum"]


@pytest.mark.requirement("S57")
def test_report_says_who_wins_by_how_much(project: Project) -> None:
    project.sparkle("run", second_of_sound(project.root / "four.wav", 4))
    project.sparkle("shadow", "run")
    shown = project.command("shadow", "report", "lipsync").stdout
    count = len(project.store.keys("upload/"))
    assert f"lipsync.othermouth beside mouth {count}: {count} production(s)" in shown
    assert "lipsync.othermouth wins: How red it is +160" in shown
    refused = project.command("shadow", "report", "nothing")
    assert refused.returncode == 1
    assert "expected a capability (script, lipsync, video, qa, workflow)" in refused.stderr


@pytest.mark.requirement("S57", "S44")
def test_shadow_makes_room_for_a_production(project: Project) -> None:
    module = project.root / "cheap.py"
    module.write_text(module.read_text() + SLOW)
    project.edit(REGISTRY, "shadow: [othermouth]", "shadow: [slow]")
    project.edit(REGISTRY, "    othermouth: {use", "    slow: {use: 'cheap:Slow'}\n    othermouth: {use")
    command = [sys.executable, "-m", "sparkle_dagster.cli", "shadow", "run", "--json"]
    with subprocess.Popen(
        command, cwd=project.root, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as beside:
        try:
            deadline = time.monotonic() + 120
            while not list((project.home / "scratch").glob("*")):
                assert time.monotonic() < deadline, "the shadow never started"
                time.sleep(0.2)
            answer = project.sparkle("run", second_of_sound(project.root / "three.wav", 3))
            assert answer["success"]
            told, _ = beside.communicate(timeout=120)
        finally:
            beside.terminate()
    made = json.loads(told)["made"]
    assert [item["comparison"] for item in made] in ([None], [None, None]), "it stopped, and is owed as before"
    assert project.store.keys("shadow.lipsync.slow/") == ()
