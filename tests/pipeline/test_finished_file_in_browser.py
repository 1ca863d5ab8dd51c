"""The finished file in a real browser, served as any site would: it plays, as long as the voice, under its captions."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Made
from tests.pipeline.test_browser import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<video id="video" src="video.mp4" controls muted playsinline>
<track kind="captions" src="captions.vtt" srclang="en" default></video></body>"""
VIDEO = "document.getElementById('video')"
VOICE_SECONDS = 5.3


class Quiet(SimpleHTTPRequestHandler):
    """A plain server of files; it knows what a caption file is."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".vtt": "text/vtt"}  # noqa: RUF012

    def log_message(self, *told: Any) -> None: ...


@pytest.fixture(scope="module")
def site(made: Made) -> Iterator[str]:
    folder = made.project.root / "site"
    made.project.sparkle("export", made.key, "--to", folder)
    (folder / "index.html").write_text(PAGE)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.requirement("X14")
def test_finished_file_plays_to_its_end_under_its_captions(page: Any, site: str, samples: Path) -> None:
    page.goto(site)
    eventually(page, f"{VIDEO}.readyState >= 3 || {VIDEO}.error")
    assert page.evaluate(f"{VIDEO}.error && {VIDEO}.error.message") is None
    assert page.evaluate(f"{VIDEO}.duration") == pytest.approx(VOICE_SECONDS, abs=0.1)
    assert page.evaluate(f"[{VIDEO}.videoWidth > 0, {VIDEO}.videoHeight > 0]") == [True, True]
    eventually(page, f"{VIDEO}.textTracks.length === 1 && ({VIDEO}.textTracks[0].cues || []).length > 0")
    shown = page.evaluate(f"Array.from({VIDEO}.textTracks[0].cues).map((cue) => cue.text).join(' ')")
    assert shown.split() == (samples / "voice_short.txt").read_text().split()
    page.evaluate(
        f"""() => {{ window.seen = []; {VIDEO}.textTracks[0].oncuechange = (event) => {{
          for (const cue of event.target.activeCues || []) window.seen.push(cue.text); }}; }}"""
    )
    page.evaluate(f"{VIDEO}.play()")
    eventually(page, f"{VIDEO}.ended")
    assert page.evaluate(f"{VIDEO}.currentTime") == pytest.approx(VOICE_SECONDS, abs=0.1)
    assert page.evaluate("window.seen.length") >= 1, "a caption came up while it played"
    assert page.evaluate(f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames") > 0


def test_a_file_that_does_not_play_is_seen(page: Any, made: Made, site: str) -> None:
    """The proof proves something: the same page over bytes that are no video has an error."""
    folder = made.project.root / "site"
    (folder / "video.mp4").rename(folder / "kept.mp4")
    (folder / "video.mp4").write_bytes(b"\0" * 20_000)
    page.goto(site)
    eventually(page, f"{VIDEO}.error !== null")
    (folder / "kept.mp4").replace(folder / "video.mp4")
