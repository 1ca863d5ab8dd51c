"""The report in a real browser, from disk: the video plays with captions, every picture shows, nothing is fetched."""

import html
import json
import re
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Made
from tests.system_packages import program

pytestmark = pytest.mark.system
LOOK = Path(__file__).with_name("look.html")


def seen(folder: Path) -> dict[str, Any]:
    """What headless Chromium makes of ``folder/report.html``."""
    (folder / LOOK.name).write_text(LOOK.read_text())
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    place = ["--virtual-time-budget=30000", f"--user-data-dir={folder / 'profile'}", (folder / LOOK.name).as_uri()]
    done = subprocess.run(
        [program("chromium"), *options, *place], capture_output=True, text=True, check=True, timeout=200
    )
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(html.unescape(found[1]))
    return answer


def test_report_shows_everything_and_fetches_nothing(made: Made) -> None:
    out = made.project.root / "browser"
    made.project.sparkle("export", made.key, "--to", out)
    found = seen(out)
    assert found["duration_seconds"] == pytest.approx(5.3, abs=0.1)
    assert max(found["cues"]) >= 1
    assert found["brightest"] > 60, "a frame of the video, not black"
    assert found["images"] >= 1
    assert found["broken_images"] == 0
    assert found["fetched"] == []


def test_look_finds_what_a_page_fetches(made: Made, tmp_path: Path) -> None:
    """The proof proves something: a picture that lies on a server is seen to be fetched."""
    made.project.sparkle("export", made.key, "--to", tmp_path)
    page = tmp_path / "report.html"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        picture = f"http://127.0.0.1:{server.server_port}/poster.jpg"
        page.write_text(page.read_text().replace("<video", f'<img src="{picture}"><video', 1))
        found = seen(tmp_path)
        server.shutdown()
    assert found["fetched"] == [picture]
