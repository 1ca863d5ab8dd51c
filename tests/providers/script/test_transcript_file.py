"""Transcript files: told apart by content, markup removed, times kept."""

import pytest

from contracts.errors import ProviderRejected
from providers.script._transcript_file import MAX_BYTES, TimedText, read_transcript

SRT = """1
00:00:00,200 --> 00:00:03,000
<i>Good</i> morning
to you {\\an8}all

2
00:00:03,500 --> 00:00:09,000
in

3
00:00:10,000 --> 00:00:11,000
1984
"""
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE not shown
--> neither

intro
00:00.200 --> 00:03.000 align:start position:10%
<v Bob>Tom &amp; <c.loud>Jerry</c>, <00:01.000>x &lt; y

01:00:03.500 --> 01:00:09.000
later
"""


def test_subrip() -> None:
    transcript = read_transcript(SRT.encode())
    assert transcript.cues == (
        TimedText(0.2, 3.0, "Good morning to you all"),
        TimedText(3.5, 9.0, "in"),
        TimedText(10.0, 11.0, "1984"),
    )
    assert transcript.text == "Good morning to you all\nin\n1984"


def test_webvtt() -> None:
    assert read_transcript(VTT.encode()).cues == (
        TimedText(0.2, 3.0, "Tom & Jerry, x < y"),
        TimedText(3603.5, 3609.0, "later"),
    )


def test_cues_are_sorted_and_never_end_before_they_start() -> None:
    text = "00:00:05,000 --> 00:00:04,000\nb\n\n00:00:01,000 --> 00:00:02,000\na\n"
    assert read_transcript(text.encode()).cues == (TimedText(1.0, 2.0, "a"), TimedText(5.0, 5.0, "b"))


def test_plain_text_keeps_its_markup() -> None:
    transcript = read_transcript(b"<b>bold</b> --> {\\an8}\n\nnext")
    assert (transcript.text, transcript.cues) == ("<b>bold</b> --> {\\an8}\n\nnext", ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert read_transcript("na\u00efve \u201cquote\u201d".encode(encoding)).text == "na\u00efve \u201cquote\u201d"


def test_binary_data_is_refused() -> None:
    with pytest.raises(ProviderRejected, match="binary"):
        read_transcript(b"RIFF\x00\x01\x02\x03WAVE")


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ProviderRejected, match=str(MAX_BYTES)):
        read_transcript(b"a" * (MAX_BYTES + 1))
