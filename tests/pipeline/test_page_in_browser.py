"""The report in a real browser, from disk: the video plays with captions, every picture shows, nothing is fetched."""

import io
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.pipeline.conftest import Made
from tests.pipeline.test_browser import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def seek(page: Any, seconds: float) -> None:
    eventually(page, "video.readyState >= 2")
    page.evaluate(f"video.currentTime = {seconds}")
    eventually(page, f"!video.seeking && video.currentTime === {seconds}")


def test_report_shows_everything_and_fetches_nothing(made: Made, page: Any, tmp_path: Path) -> None:
    made.project.sparkle("export", made.key, "--to", tmp_path)
    asked = fetched_by(page)
    page.goto((tmp_path / "report.html").as_uri(), wait_until="load")
    seek(page, 2.5)
    assert page.evaluate("video.duration") == pytest.approx(5.3, abs=0.1)
    eventually(page, "video.textTracks[0].cues?.length >= 1")
    shown = Image.open(io.BytesIO(page.locator("#video").screenshot())).convert("L")
    assert shown.resize((8, 8)).getextrema()[1] > 60, "a frame of the video, not black"
    images = page.evaluate("Array.from(document.images, (image) => image.naturalWidth)")
    assert images
    assert 0 not in images
    assert asked == []


def test_what_a_page_fetches_is_seen(made: Made, page: Any, tmp_path: Path) -> None:
    """The proof proves something: a picture that lies on a server is seen to be fetched."""
    made.project.sparkle("export", made.key, "--to", tmp_path)
    report = tmp_path / "report.html"
    asked = fetched_by(page)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        picture = f"http://127.0.0.1:{server.server_port}/poster.jpg"
        report.write_text(report.read_text().replace("<video", f'<img src="{picture}"><video', 1))
        page.goto(report.as_uri(), wait_until="load")
        server.shutdown()
    assert asked == [picture]


def fetched_by(page: Any) -> list[str]:
    """Grows by what the page asks for that does not lie in files beside it."""
    asked: list[str] = []
    page.on("request", lambda request: re.match(r"(file|data|blob):", request.url) or asked.append(request.url))
    return asked
