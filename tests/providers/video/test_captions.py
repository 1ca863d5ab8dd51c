"""Soft captions: what stands in the file, and when there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import av
import pytest

from contracts.artifacts import ArtifactRef
from contracts.production import DeliveryProfile
from contracts.script import ScriptResult
from providers._media.probe import probe
from providers.video._captions import Cue, read_cues, track_language
from providers.video.noop import NoOpVideoProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.providers.video.conftest import Assemble
from tests.providers.video.makers import make_sound, speechlike

SRT = """1
00:00:00,200 --> 00:00:00,900
It's {literal} <i>text</i>,
100% "as is": über 漢字

2
00:00:01,200 --> 00:00:09,000
Second \\N line
"""
CUES = (
    Cue(200, 900, 'It\'s {literal} <i>text</i>,\n100% "as is": über 漢字'),
    Cue(1200, 2000, "Second \\N line"),
)
SMALL = DeliveryProfile(preset="ultrafast", max_long_side=48)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return make_sound(tmp_path / "voice.wav", speechlike(2.0)[None])


@pytest.fixture
def script(put: Callable[[Path], ArtifactRef], tmp_path: Path) -> ScriptResult:
    (tmp_path / "c.srt").write_text(SRT, "utf-8")
    (tmp_path / "c.txt").write_text("WEBVTT\n\n" + SRT.replace(",200", ".200").replace(",900", ".900"), "utf-8")
    return ScriptResult(
        language="de-AT",
        words_origin="transcript",
        captions_srt=put(tmp_path / "c.srt"),
        captions_vtt=put(tmp_path / "c.txt"),
    )


def shown_cues(path: Path) -> tuple[Cue, ...]:
    with av.open(str(path)) as container:
        packets = list(container.demux(container.streams.subtitles[0]))
        return tuple(
            Cue(packet.pts, packet.pts + packet.duration, bytes(packet)[2:].decode())
            for packet in packets
            if packet.pts is not None and packet.duration is not None and packet.size > 2
        )


@pytest.mark.requirement("X14")
def test_captions_stand_in_the_file_letter_by_letter(
    assemble: Assemble, sound: Path, samples: Path, script: ScriptResult
) -> None:
    result, path = assemble(samples / "presenter.png", sound, profile=SMALL, script=script)
    assert result.captions_in_video
    assert shown_cues(path) == CUES
    assert probe(path).subtitle_codecs == ("mov_text",)
    with av.open(str(path)) as container:
        assert container.streams.subtitles[0].metadata["language"] == "ger"


def test_sidecars_are_handed_on(assemble: Assemble, sound: Path, samples: Path, script: ScriptResult) -> None:
    for provider in (None, NoOpVideoProvider):
        chosen = {"provider": provider} if provider else {}
        result, _ = assemble(samples / "presenter.png", sound, profile=SMALL, script=script, captions="none", **chosen)
        assert (result.captions_srt, result.captions_vtt) == (script.captions_srt, script.captions_vtt)
        assert not result.captions_in_video


def test_a_vtt_sidecar_is_enough(assemble: Assemble, sound: Path, samples: Path, script: ScriptResult) -> None:
    only_vtt = script.model_copy(update={"captions_srt": None})
    _, path = assemble(samples / "presenter.png", sound, profile=SMALL, script=only_vtt)
    assert shown_cues(path) == CUES


@pytest.mark.requirement("X14")
@pytest.mark.parametrize(
    ("policy", "origin", "on_video", "noted"),
    [
        ("confident", "transcript", True, False),
        ("confident", "recognised", False, True),
        ("all", "recognised", True, False),
        ("none", "transcript", False, False),
    ],
)
def test_the_policy_decides(
    assemble: Assemble,
    sound: Path,
    samples: Path,
    script: ScriptResult,
    policy: str,
    origin: Literal["transcript", "recognised"],
    on_video: bool,
    noted: bool,
) -> None:
    script = script.model_copy(update={"words_origin": origin})
    result, path = assemble(samples / "presenter.png", sound, profile=SMALL, script=script, captions=policy)
    assert result.captions_in_video is on_video
    assert bool(probe(path).subtitle_codecs) is on_video
    assert any("recogniser" in note for note in result.notes) is noted


def test_no_words_no_track(
    assemble: Assemble, sound: Path, samples: Path, store: LocalArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "none.srt").write_text("\n")
    empty = ScriptResult(words_origin="transcript", captions_srt=store.put(tmp_path / "none.srt", "text/plain"))
    for script in (empty, ScriptResult(), None):
        result, path = assemble(samples / "presenter.png", sound, profile=SMALL, script=script, captions="all")
        assert not result.captions_in_video
        assert result.notes == ()
        assert probe(path).subtitle_codecs == ()


def test_cues_are_brought_into_order_and_into_the_audio() -> None:
    sidecar = "\ufeff1\r\n00:00:00,000 --> 00:00:01,500\r\na\r\n\r\n00:01.000 --> 00:02.000 line:90%\nb\n\n"
    sidecar += "00:03.000 --> 00:04.000\nafter the end\n\n00:01.900 --> 00:01.950\n\n\nnot a cue at all"
    assert read_cues(sidecar, 2.5) == (Cue(0, 1500, "a"), Cue(1500, 2000, "b"))


@pytest.mark.parametrize(("tag", "code"), [("en", "eng"), ("pt-BR", "por"), ("gsw", "gsw"), ("xx", "und")])
def test_languages_become_three_letters(tag: str, code: str) -> None:
    assert track_language(tag) == code
