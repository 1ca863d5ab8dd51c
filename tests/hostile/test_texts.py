"""Transcripts and options that try something: read as plain words, or refused with the line. In process."""

import html
import re
import time
from pathlib import Path

import pysubs2
import pytest

from contracts.errors import ProviderRejected, UploadRejected
from contracts.upload import UploadOptions
from providers._speech.captions import Cue, to_srt, to_vtt
from providers.script._transcript_file import read_transcript
from sparkle_dagster.execution.upload_options import read_options

CUE = "1\n00:00:00,100 --> 00:00:01,000\n"
MOST_CPU_SECONDS = 10
"""Generous: what takes longer is no reading but a trap that closed."""

TRANSCRIPTS: dict[str, tuple[bytes, str]] = {
    "end before start": (b"1\n00:00:09,000 --> 00:00:01,000\nhello\n", "hello"),
    "huge hours": (b"1\n9999:59:59,999 --> 9999:59:59,999\nhello\n", "hello"),
    "hours beyond all sense": (b"1\n" + b"9" * 5000 + b":00:00,000 --> 1:00:00,000\nhello\n", "hello"),
    "minutes beyond sixty": (b"1\n00:99:00,000 --> 00:99:01,000\nhello\n", "hello"),
    "negative time": (b"1\n-00:00:01,000 --> 00:00:01,000\nhello\n", "hello"),
    "html": ((CUE + "<script src=//x>alert(1)</script>hello\n").encode(), "alert(1)hello"),
    "ass override": ((CUE + "{\\an8}{\\fs900}{\\p1}hello\\Nthere\n").encode(), "hello there"),
    "unclosed tag": ((CUE + "<b hello\n").encode(), "<b hello"),
    "utf-16": ((CUE + "hello\n").encode("utf-16"), "hello"),
    "utf-16 the other way": (b"\xfe\xff" + (CUE + "hello\n").encode("utf-16-be"), "hello"),
    "half a utf-16 pair": (b"\xff\xfeh\x00i\x00\x00\xd8", "hi"),
    "windows line ends": ((CUE + "hello\n").replace("\n", "\r\n").encode(), "hello"),
    "old line ends": ((CUE + "hello\n").replace("\n", "\r").encode(), "hello"),
    "control characters": ((CUE + "he\x07l\x1b[31mlo\n").encode(), "hel[31mlo"),
    "bidi override": ((CUE + "he\u202ello\n").encode(), "hello"),
    "latin-1": ((CUE + "caf\u00e9\n").encode("latin-1"), "caf\u00e9"),
    "no numbers": (b"00:00:00,100 --> 00:00:01,000\nhello\n", "hello"),
    "nothing but cues": (b"WEBVTT\n\n00:00.000 --> 00:01.000\n\n", ""),
    "entities": (b"WEBVTT\n\n00:00.000 --> 00:01.000\n&lt;b&gt; &#0; &#x110000;\n", "<b>"),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcript_is_words(name: str) -> None:
    content, words = TRANSCRIPTS[name]
    transcript = read_transcript(content)
    assert words in transcript.text
    assert "\x00" not in transcript.text
    assert all(0 <= cue.start_seconds <= cue.end_seconds for cue in transcript.cues)


@pytest.mark.parametrize(
    "content",
    [
        b"a" * 2**20,
        b"<" * 2**20,
        b"{\\" * 2**19,
        b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"&" * 2**20,
        b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"<a" * 2**19,
        b"1\n" * 2**19,
        b"00:00:00,000 --> 00:00:01,000\n" * 20_000,
        b"0" * 2**20 + b" --> ",
        b" " * 2**20 + b"x",
        "e\u0301".encode() * 300_000,
    ],
    ids=["letters", "angles", "braces", "ampersands", "tags", "numbers", "timings", "digits", "spaces", "accents"],
)
def test_megabyte_takes_no_time(content: bytes) -> None:
    started = time.process_time()
    read_transcript(content)
    assert time.process_time() - started < MOST_CPU_SECONDS


@pytest.mark.parametrize("content", [b"hello\x00there", CUE.encode() + b"\x00\n", b"\x00" * 50])
def test_nul_is_refused(content: bytes) -> None:
    with pytest.raises(ProviderRejected, match=r"expected a transcript in plain text, .*, got binary data"):
        read_transcript(content)


LITERALS = (
    "<b>bold</b>",
    "{\\an8}top",
    "one\\Ntwo",
    "a --> b",
    "&lt;b&gt; & more",
    "<script>alert(1)</script>",
    "%d ${HOME} `id` $(id)",
    "../../etc/passwd",
    "'; DROP TABLE x; --",
    "\u0627\u0644 \u05e9\u05dc\u05d5\u05dd \U0001f600",
)


@pytest.mark.parametrize("text", LITERALS)
@pytest.mark.parametrize(("write", "kind"), [(to_srt, "srt"), (to_vtt, "vtt")])
def test_caption_reads_as_it_was_written(write, kind: str, text: str) -> None:
    """Through another reader of subtitles: no style, no break, no cue of its own."""
    content = write([Cue(0, 1000, (text,)), Cue(1000, 2000, ("next",))]).decode()
    events = pysubs2.SSAFile.from_string(content, kind).events
    assert len(events) == 2
    assert not re.search(r"\{|\\(?!\u2060)", events[0].text.replace("{\u2060", ""))
    shown = events[0].text.replace("\u2060", "")
    assert (html.unescape(shown) if kind == "vtt" else shown) == text


LAUGHS = "a: &a [x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(9))
OPTIONS: dict[str, tuple[bytes, str]] = {
    "billion laughs": (LAUGHS.encode(), "anchors are not allowed"),
    "alias": (b"title: *x\n", "aliases are not allowed"),
    "anchor": (b"title: &x y\n", "anchors are not allowed"),
    "merge": (b"<<: {title: x}\n", "merge keys (<<) are not allowed"),
    "python object": (b"title: !!python/object/apply:os.system ['id']\n", "tags are not allowed"),
    "own tag": (b"title: !x y\n", "tags are not allowed"),
    "directive": (b"%TAG ! tag:x,2000:\n---\ntitle: x\n", "directives"),
    "deep list": (b"metadata: " + b"[" * 500 + b"]" * 500, "at most 20 levels"),
    "deep mapping": (b"metadata: " + b"{a: " * 500 + b"1" + b"}" * 500, "at most 20 levels"),
    "very deep": (b"[" * 100_000, "at most 20 levels"),
    "two documents": (b"title: x\n---\ntitle: y\n", "one document"),
    "same key twice": (b"title: x\ntitle: y\n", "duplicate key 'title'"),
    "list at the top": (b"- title\n", "expected a mapping at the top"),
    "empty": (b"\n", "expected a mapping at the top"),
    "binary": (b"\xff\xfe\x00\x01", "expected UTF-8 text"),
    "nul": (b"title: x\x00\n", "not allowed"),
    "too large": (b"# " + b"x" * 2**20, "expected at most"),
    "unknown key": (b"command: rm\n", "command"),
    "endless number": (b"metadata: {n: " + b"9" * 5000 + b"}", "a number that fits"),
    "infinity": (b"metadata: {n: .inf}", "a finite number"),
    "title of many": (b"title: " + b"x" * 300, "title"),
    "title of a list": (b"title: [x]", "title"),
    "half a pair": (b'title: "\\ud800"', "half of a surrogate pair"),
    "no character": (b'title: "\\UFFFFFFFF"', "not YAML"),
    "language with a path": (b"language: ../../etc", "language"),
    "captions of its own": (b"captions: 'always; rm'", "captions"),
    "unclosed": (b"title: [", "not YAML"),
    "tab": (b"title:\n\t- x", "not YAML"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    content, sentence = OPTIONS[name]
    (path := tmp_path / "talk.yaml").write_bytes(content)
    with pytest.raises(UploadRejected, match=re.escape(sentence)) as refusal:
        read_options(path)
    assert str(refusal.value).startswith("talk.yaml: ")
    assert len(str(refusal.value)) < 1000
    assert "Traceback" not in str(refusal.value)


@pytest.mark.parametrize("title", [*LITERALS, "no", "1e9", "2001-01-01", "x: y", "# not a comment"])
def test_title_is_what_was_quoted(title: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.yaml"
    path.write_text("title: '" + title.replace("'", "''") + "'\n", encoding="utf-8")
    assert read_options(path) == UploadOptions(title=title)
