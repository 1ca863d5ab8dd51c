"""The pages in a real browser: the video plays, a finding moves the player, a dropped voice becomes a production."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.qa import QAReviewResult
from tests.faults.processes import wait_for
from tests.pipeline.conftest import DESKTOP, Made
from tests.project import Project
from tests.service import Service, serving

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PHONE = {"width": 390, "height": 844}
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def service(made: Made) -> Iterator[Service]:
    with serving(made.project) as service:
        yield service


def with_findings(project: Project, production: str) -> float:
    """A review that found something at half of the video, committed as the newest; where it is, in seconds."""
    manifest = project.store.read(f"qa_report/{production}")
    review = QAReviewResult.parse(manifest.document["result"]).model_dump(mode="json")
    review["checks"][0] |= {"status": "warn", "evidence": [{"start_seconds": 2.5, "end_seconds_exclusive": 3.0}]}
    document = {**manifest.document, "result": review}
    project.store.commit(f"qa_report/{production}", document, attempt_id="a finding to click on")
    return 2.5


def eventually(page: Any, expression: str) -> None:
    """Wait for an expression to hold; asked from outside, since the pages allow no evaluation inside."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never held: {expression}"
        page.wait_for_timeout(100)


def jumps(page: Any, seconds: float) -> None:
    """Play, click the finding, see the player there."""
    eventually(page, "document.getElementById('video').readyState >= 2")
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("document.getElementById('video').play()")
    eventually(page, "document.getElementById('video').currentTime > 0.2")
    page.click("[data-seek]")
    eventually(page, f"Math.abs(document.getElementById('video').currentTime - {seconds}) < 1")
    eventually(page, f"document.getElementById('video').currentTime > {seconds} + 0.1")


def test_finding_moves_the_player_served_and_from_disk(page: Any, service: Service, made: Made, tmp_path: Path) -> None:
    seconds = with_findings(made.project, made.key)
    page.goto(f"{service.url}/view/{made.key}")
    jumps(page, seconds)
    assert page.locator("track, video").count() == 1
    assert page.evaluate("document.getElementById('video').textTracks.length") == 1
    made.project.sparkle("export", made.key, "--to", tmp_path)
    page.goto("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    jumps(page, seconds)
    assert [url for url in asked if not re.match(r"file:|data:", url)] == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_can_be_read(
    browser: Any, service: Service, made: Made, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    for path in ("/", f"/view/{made.key}"):
        page.goto(f"{service.url}{path}")
        page.wait_for_selector("#list a, #video")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
        assert (light[0] < light[1]) == (scheme == "light")
        assert abs(light[0] - light[1]) > 400
    context.close()


def test_dropped_voice_becomes_a_production_that_is_followed(
    page: Any, service: Service, samples: Path, tmp_path: Path
) -> None:
    voice = tmp_path / "dropped.wav"
    voice.write_bytes((samples / "voice_short.wav").read_bytes() + b"dropped")
    held: list[Any] = []
    page.route("**/choices", lambda route: held.append(route))
    page.goto(service.url)
    page.set_input_files("#files", [str(voice), str(samples / "voice_short.txt")])
    for route in held:  # files may be dropped before the page knows what it may offer
        route.continue_()
    assert held
    page.wait_for_selector("select >> nth=0")
    page.select_option("label:has-text('profile') select", "draft")
    page.select_option("label:has-text('lipsync') select", "-")
    page.click("#go")
    page.wait_for_selector("#said a", timeout=120_000)
    key = page.inner_text("#said a")
    page.click("#said a")
    page.wait_for_selector(".gantt .work.running, .gantt .work.succeeded", timeout=120_000)
    page.wait_for_selector("#video", timeout=180_000)
    wait_for("it has ended", lambda: service.state(key) == "succeeded")
    page.wait_for_selector("rect.passed_through", timeout=60_000)
    record = json.loads(service.get(f"/productions/{key}").text)
    assert {node["node_id"]: node["provider"] for node in record["nodes"]}["lipsync"] == "noop"
    page.goto(service.url)
    page.fill("#words", "dropped")
    eventually(page, "document.querySelectorAll('#list > li').length === 1")
    assert key in page.inner_text("#list")
