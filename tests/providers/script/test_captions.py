"""Captions: sizes, times, breaks, and text that stays text."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysubs2 import SSAFile

from contracts.script import Line, Word
from providers._speech.captions import MAX_CUE_MS, MAX_LINE_CHARS, MAX_LINES, MIN_CUE_MS, make_cues, to_srt, to_vtt


def line(text: str, start: float, end: float) -> Line:
    """Words evenly over the time."""
    texts = text.split(" ")
    step = (end - start) / len(texts)
    words = tuple(
        Word(text=word, start_seconds=start + index * step, end_seconds_exclusive=start + (index + 1) * step)
        for index, word in enumerate(texts)
    )
    return Line(text=text, start_seconds=start, end_seconds_exclusive=end, words=words)


def test_a_short_line_is_one_cue_with_its_times() -> None:
    (cue,) = make_cues([line("Good morning.", 1.0, 2.5)], 10.0)
    assert (cue.start_ms, cue.lines) == (1000, ("Good morning.",))
    assert 2500 <= cue.end_ms <= 3000


def test_two_lines_break_after_the_phrase() -> None:
    (cue,) = make_cues([line("When the rain had stopped, they all went out to play.", 0, 5)], 10.0)
    assert cue.lines == ("When the rain had stopped,", "they all went out to play.")


def test_long_lines_are_cut_at_their_punctuation() -> None:
    text = "It was a very long morning and nobody knew what to say to him, so they waited for the rain to stop outside."
    first, second = make_cues([line(text, 0, 8)], 10.0)
    assert first.lines[-1].endswith("him,")
    assert second.lines[0].startswith("so")


def test_a_long_pause_ends_a_cue() -> None:
    spoken = line("yes no", 0, 1)
    late = spoken.words[1].model_copy(update={"start_seconds": 5.0, "end_seconds_exclusive": 5.5})
    cues = make_cues([spoken.model_copy(update={"words": (spoken.words[0], late), "end_seconds_exclusive": 5.5})], 9.0)
    assert [cue.lines for cue in cues] == [("yes",), ("no",)]
    assert cues[1].start_ms == 5000


def test_cues_too_short_to_read_are_joined() -> None:
    (cue,) = make_cues([line("Yes.", 0, 0.3), line("No.", 0.4, 0.7)], 5.0)
    assert cue.lines == ("Yes. No.",)


def test_a_cue_stays_long_enough_where_there_is_room() -> None:
    (cue,) = make_cues([line("Yes.", 1, 1.2)], 5.0)
    assert cue.end_ms - cue.start_ms == MIN_CUE_MS


def test_no_cue_ends_after_the_sound() -> None:
    (cue,) = make_cues([line("Yes.", 4.8, 5.2)], 5.0)
    assert (cue.start_ms, cue.end_ms) == (4800, 5000)


def test_words_longer_than_a_line_are_cut() -> None:
    cues = make_cues([line("x" * 100 + " end", 0, 4)], 5.0)
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == "x" * 100 + "end"


words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=60)
spans = st.lists(
    st.tuples(st.lists(words, min_size=1, max_size=40), st.floats(0, 3), st.floats(0, 20)), min_size=1, max_size=6
)


@pytest.mark.requirement("X14")
@settings(max_examples=60, deadline=None)
@given(spans, st.floats(0.1, 40))
def test_rules_hold_for_any_script(script: list[tuple[list[str], float, float]], duration: float) -> None:
    at, lines = 0.0, []
    for texts, pause, length in script:
        lines.append(line(" ".join(texts), at + pause, at + pause + length))
        at += pause + length
    cues = make_cues(lines, duration)
    end = 0
    for cue in cues:
        assert 1 <= len(cue.lines) <= MAX_LINES
        assert all(0 < len(text) <= MAX_LINE_CHARS for text in cue.lines)
        assert end <= cue.start_ms < cue.end_ms <= round(duration * 1000)
        assert cue.end_ms - cue.start_ms <= MAX_CUE_MS
        end = cue.end_ms
    assert all(len(row) <= MAX_LINE_CHARS for row in to_srt(cues).decode().split("\n") if " --> " not in row)
    for written in (to_srt(cues), to_vtt(cues)):
        assert len(re.findall(rb"^\d\d:\d\d:\d\d[.,]\d{3} --> \d\d:\d\d:\d\d[.,]\d{3}$", written, re.MULTILINE)) == len(
            cues
        )


HOSTILE = [
    "<b>bold</b>",
    "{\\an8}top",
    "{\\p1}m 0 0",
    "a --> b",
    "up\\Ndown",
    "a\\hb",
    "x < y & z",
    "<script>",
    "&amp;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_shown_not_obeyed(text: str) -> None:
    cues = make_cues([line(text, 0, 2)], 3.0)
    srt, vtt = to_srt(cues).decode(), to_vtt(cues).decode()
    assert _visible(srt.splitlines()[2]) == text
    assert _visible(html.unescape(vtt.splitlines()[4])) == text
    assert srt.count("-->") == vtt.count("-->") == 1
    assert not re.search(r"</?\w|\{\\|\\[Nnh]", srt)
    assert not re.search(r"<|\{\\", vtt)
    (event,) = SSAFile.from_string(srt, format_="srt")
    assert "\\N" not in event.text
    assert event.text.replace("\u2060", "") == text


def _visible(text: str) -> str:
    return text.replace("\u2060", "")


def test_files_say_what_they_are() -> None:
    cues = make_cues([line("Yes.", 1, 2)], 5.0)
    assert to_srt(cues).startswith(b"1\n00:00:01,000 --> 00:00:02,300\nYes.\n")
    assert to_vtt(cues).startswith(b"WEBVTT\n")
