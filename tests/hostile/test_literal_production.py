"""One whole production whose name, title and words are code to somebody: shown letter for letter everywhere."""

import html
import re
import shutil
from pathlib import Path

import av
import pytest

from tests.project import Project, make_project

TITLE = "<script>alert(1)</script> {\\an8} & ${HOME} %d"
WORDS = ("<b>x</b>", "<script>", "{\\an8}top", "one\\Ntwo", "&lt;b&gt;", "-->", "%d", "../../etc/passwd", "$(id)")
NAME = "-x <img src=x onerror=alert(3)> %d.wav"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported folder."""
    project: Project = make_project(tmp_path_factory.mktemp("literal") / "project")
    voice = project.root / NAME
    shutil.copy(project.root / "samples/voice_short.wav", voice)
    (text := project.root / "words.txt").write_text(" ".join(WORDS), encoding="utf-8")
    options = ("--title", TITLE, "--captions", "all", "--profile", "draft", "--transcript", text)
    answer = project.sparkle("run", *options, voice)
    assert answer["success"], answer
    project.sparkle("export", answer["production"], "--to", project.root / "out")
    return project.root / "out"


def shown(text: str) -> str:
    """Without the invisible joiners that keep players from reading marks, and without line ends."""
    return re.sub(r"\s+", " ", text.replace("\u2060", ""))


def missing(text: str) -> list[str]:
    return [word for word in WORDS if word not in shown(text)]


def test_subtitle_files(made: Path) -> None:
    assert missing((made / "captions.srt").read_text(encoding="utf-8")) == []
    vtt = (made / "captions.vtt").read_text(encoding="utf-8")
    assert "<" not in vtt
    assert missing(html.unescape(vtt)) == []


def test_captions_and_title_in_the_file(made: Path) -> None:
    with av.open(str(made / "video.mp4")) as container:
        assert container.metadata["title"] == TITLE
        packets = [bytes(packet) for packet in container.demux(container.streams.subtitles[0]) if packet.size > 2]
    texts = [packet[2 : 2 + int.from_bytes(packet[:2], "big")].decode() for packet in packets]
    assert missing(" ".join(texts)) == []
    assert all(len(packet) == 2 + int.from_bytes(packet[:2], "big") for packet in packets), "no style is attached"


def test_page(made: Path) -> None:
    page = (made / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script>alert|<img src=x", page)
    assert html.escape(TITLE, quote=False) in page.replace("&#34;", '"').replace("&#39;", "'")
