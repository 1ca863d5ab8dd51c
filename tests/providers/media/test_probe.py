"""Facts: from the content, for whole and for broken files."""

from pathlib import Path

import pytest

from providers._media.mp4_layout import is_faststart, lacks_index
from providers._media.probe import probe
from tests.media import make_moving_portrait, make_song_with_cover, make_tone, make_video, tone, truncate

_ENDLESS = b"\x00\x00\x00\x01free" + b"\xff" * 8
"""A box that says it is larger than any file."""


def test_video_with_sound(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path / "x.mp4", seconds=2, audio=tone(1.5, 44_100, 2), audio_rate_hz=44_100))
    assert info.kind == "video"
    assert info.duration_seconds == pytest.approx(2)
    assert (info.video.codec, info.video.frame_count, info.video.fps) == ("h264", 50, 25)
    assert (info.audio.codec, info.audio.sample_rate_hz, info.audio.channels) == ("aac", 44_100, 2)
    assert info.audio.duration_seconds == pytest.approx(1.5, abs=1024 / 44_100)
    assert info.decode_errors == 0


def test_late_streams_tell_their_start(tmp_path: Path) -> None:
    late_video = probe(make_video(tmp_path / "v.mp4", start_seconds=0.5, audio=tone(1, 48_000)))
    assert late_video.video.start_seconds == pytest.approx(0.5, abs=0.001)
    assert late_video.audio.start_seconds == pytest.approx(0)
    late_audio = probe(make_video(tmp_path / "a.mp4", audio=tone(1, 48_000), audio_start_seconds=0.3))
    assert late_audio.audio.start_seconds == pytest.approx(0.3, abs=1100 / 48_000)  # the encoder's lead-in


def test_frozen_rate_is_not_variable_and_uneven_one_is(tmp_path: Path) -> None:
    assert not probe(make_video(tmp_path / "a.mp4", fps=30000 / 1001)).video.variable_frame_rate
    assert probe(make_video(tmp_path / "b.mp4", times_seconds=[0, 0.04, 0.08, 0.16])).video.variable_frame_rate


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_off_video_is_counted_and_measured_by_what_is_there(share: float, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "x.mp4", seconds=3, crf=1, audio=tone(3, 48_000))
    info = probe(truncate(whole, tmp_path / "cut.mp4", share))
    assert info.decode_errors > 0
    assert info.video.frame_count < 75
    assert info.video.duration_seconds == pytest.approx(info.video.frame_count / 25)
    assert info.duration_seconds < 3


@pytest.mark.parametrize("suffix", [".mp3", ".mp4"])
def test_cover_picture_makes_no_video(suffix: str, tmp_path: Path) -> None:
    info = probe(make_song_with_cover(tmp_path / f"x{suffix}"))
    assert (info.kind, info.video) == ("audio", None)
    assert info.audio.duration_seconds == pytest.approx(0.5, abs=0.03)


def test_index_first_or_last(tmp_path: Path) -> None:
    first, last = make_video(tmp_path / "a.mp4"), make_video(tmp_path / "b.mp4", faststart=False)
    assert (probe(first).faststart, probe(last).faststart) == (True, False)
    assert probe(make_tone(tmp_path / "x.wav", seconds=0.1)).faststart is None


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\x00\x00\x00\x02ftyp", b"\x00\x00\x00\x01mdat\x00", bytes(64), _ENDLESS]
)
def test_rubble_has_no_index(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    assert not is_faststart(tmp_path / "x.mp4")
    assert lacks_index(tmp_path / "x.mp4")


def test_text_is_text(samples: Path) -> None:
    assert probe(samples / "voice.txt").kind == "text"


def test_tags_are_bounded_and_plain(tmp_path: Path) -> None:
    import av

    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "a\nb\x1b[31m" + "x" * 5000
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode())
    title = probe(path).tags["title"]
    assert title.startswith("a b")
    assert title.isprintable()
    assert len(title) <= 300


def test_moving_portrait_is_a_plain_video(samples: Path, tmp_path: Path) -> None:
    info = probe(make_moving_portrait(tmp_path / "x.mp4", samples / "presenter.png", frame_count=10, size=128))
    assert (info.video.width, info.video.height, info.video.frame_count) == (128, 128, 10)
