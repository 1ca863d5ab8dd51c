"""The report and the demo's page of a hostile production: everything is shown letter for letter, nothing executes."""

import base64
import io
import json
import re
import shlex
from html.parser import HTMLParser

import pytest

from contracts.qa import Evidence, QACheck, QAReviewResult, Verdict
from contracts.script import ScriptResult
from contracts.video import VideoAssemblyResult
from sparkle_dagster.observability import report_page
from sparkle_dagster.observability.demo_page import render_demo
from sparkle_dagster.observability.production_view import summarize, view_production
from sparkle_dagster.observability.report_page import command_for, write_report
from sparkle_dagster.workspace import Workspace
from tests.sparkle_dagster.observability.conftest import HOSTILE, KEY, commit, commit_hostile_production, commit_upload


class Page(HTMLParser):
    """Tags, attributes and texts as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: set[str] = set()
        self.counts: dict[str, int] = {}
        self.texts: list[str] = []
        self.feed(text)
        self.text = "".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def hostile(workspace: Workspace) -> Workspace:
    commit_hostile_production(workspace)
    return workspace


def report_of(workspace: Workspace) -> str:
    view = view_production(workspace, KEY)
    file = io.BytesIO()
    write_report(view, summarize(view), file)
    return file.getvalue().decode()


def test_report_shows_hostile_texts_letter_for_letter(hostile: Workspace) -> None:
    page = Page(report_of(hostile))
    assert page.counts["script"] == 1
    assert "img" not in page.counts, "no picture was made, so every one is an attack"
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.text.count(HOSTILE) >= 4


@pytest.mark.requirement("S47")
def test_findings_come_first_with_pictures_to_click_on(workspace: Workspace) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    seen = Evidence(start_seconds=4.0, end_seconds_exclusive=4.5, thumbnail=picture)
    checks = (
        QACheck(id="blur", title="Sharp", status="pass", value=0.5),
        QACheck(id="lip_lag", title="In time", status="warn", value=60.0, unit="ms", confidence=0.97),
        QACheck(
            id="black", title="Not black", status="fail", evidence=(seen,), parameters={"pixel_below": 26}, version=3
        ),
    )
    commit_upload(workspace)
    commit(workspace, "qa_report", QAReviewResult(provider="signal", verdict=Verdict.REJECT, checks=checks))
    page = report_of(workspace)
    assert page.index("<code>black</code>") < page.index("<code>lip_lag</code>") < page.index("<code>blur</code>")
    assert f'data-seek="4.000"><img alt="" src="{picture}">4.00-4.50 s</button>' in page
    assert "version 3, pixel below 26" in page
    assert "sure 97%" in page


def test_cues_are_data_and_cannot_close_the_script(hostile: Workspace) -> None:
    page = report_of(hostile)
    (cues,) = re.findall(r"const cues = (\[.*?\]);\n", page)
    assert "<" not in cues
    (cue,) = json.loads(cues)
    assert cue["text"].startswith("</script><img") or "${x}" in cue["text"]


def test_demo_page_shows_hostile_texts_letter_for_letter(hostile: Workspace) -> None:
    view = view_production(hostile, KEY)
    summary = summarize(view)
    page = Page(render_demo(view, [("on", HOSTILE, summary), ("off", HOSTILE, summary)]))
    assert page.counts["script"] == 1
    assert "img" not in page.counts
    assert not {name for name in page.attributes if name.startswith("on")}
    assert HOSTILE in page.text


@pytest.mark.requirement("S4", "S47")
def test_lineage_goes_down_to_weights_and_to_the_files_that_came_in(workspace: Workspace) -> None:
    upload = commit_upload(workspace)
    commit(workspace, "script", ScriptResult(provider="heard", text="Hello", language="en"), {"ears": "5e" * 32})
    text = Page(report_of(workspace)).text
    assert "weights ears 5e5e5e5e5e5e" in text
    assert f"audio: voice.wav {upload.audio_track.digest[:12]}" in text
    assert f"face: of the workspace {upload.video_stub.digest[:12]}" in text


@pytest.mark.requirement("S47")
def test_command_to_make_it_again_is_one_command_in_a_shell(hostile: Workspace) -> None:
    command = command_for(view_production(hostile, KEY))
    words = shlex.split(command)
    assert words[:3] == ["sparkle", "run", f"./-{HOSTILE}.wav"]
    assert f"--face={HOSTILE}" in words
    assert len(words) == 5
    assert "$(touch owned)" not in re.sub(r"'[^']*'", "", command), "only inside single quotes, where a shell is blind"


def test_command_of_a_plain_production_is_plain(workspace: Workspace) -> None:
    commit_upload(workspace, "Welcome")
    assert command_for(view_production(workspace, KEY)) == "sparkle run voice.wav --title=Welcome"


def test_the_whole_video_is_in_the_page_block_by_block(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "BLOCK_BYTES", 3_000)
    video = workspace.settings.project / "samples/voice_short.wav"
    commit_upload(workspace)
    ref = workspace.store.put(video, "video/mp4")
    commit(workspace, "assembled_video", VideoAssemblyResult(provider="pyav", assembled_video=ref))
    found = re.search(r'src="data:video/mp4;base64,([^"]*)"', report_of(workspace))
    assert found is not None
    assert base64.b64decode(found[1], validate=True) == video.read_bytes()


def test_report_of_a_production_that_has_only_begun(workspace: Workspace) -> None:
    commit_upload(workspace, "Begun")
    page = Page(report_of(workspace))
    assert "not approved: unfinished" in page.text
    assert page.text.count("never made") == 4
    assert "Begun" in page.text
