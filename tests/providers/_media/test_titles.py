"""The title overlay: inside the safe area, whatever the text."""

import numpy as np
import numpy.typing as npt
import pytest

from providers._media.titles import SAFE_MARGIN, TitleOverlay, missing_characters, printable

TEXTS = {
    "short": "A quiet morning",
    "long": "word " * 40,
    "unbroken": "W" * 200,
    "lines": "\n".join("abcdefgh"),
    "hostile": "100% %{pts} 'a' \"b\" \\n : ; [x] {\\b1} \x00\x1b[31m \u202e\u200b drawtext=",
    "few glyphs": "Film 漢字 \U0001f3ac",
}


def drawn(text: str, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which pixels the title changes: bool (height, width)."""
    plain = np.full((height, width, 3), 128, np.uint8)
    return (TitleOverlay(text, width=width, height=height).draw(plain, 0.5) != plain).any(axis=2)


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (96, 64), (1920, 1080)])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_any_text_stays_inside_the_safe_area(text: str, size: tuple[int, int]) -> None:
    width, height = size
    rows, columns = np.nonzero(drawn(text, width, height))
    assert rows.size > 20
    assert columns.min() >= width * SAFE_MARGIN - 1
    assert columns.max() <= width * (1 - SAFE_MARGIN) + 1
    assert rows.max() <= height * (1 - SAFE_MARGIN) + 1
    assert rows.min() >= height * 0.6  # the mouth is above


def test_at_the_top_it_leaves_the_lower_half_free() -> None:
    plain = np.full((360, 640, 3), 128, np.uint8)
    title = TitleOverlay("Above", width=640, height=360, is_at_top=True)
    rows, columns = np.nonzero((title.draw(plain, 0.5) != plain).any(axis=2))
    assert rows.min() >= 360 * SAFE_MARGIN - 1
    assert rows.max() < 120
    box = title.box
    assert (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1) == (box.x, box.y, box.width, box.height)


def test_a_longer_text_takes_more_lines_then_smaller_letters() -> None:
    heights = [np.ptp(np.nonzero(drawn("word " * count, 640, 360))[0]) for count in (2, 12, 40)]
    assert heights[0] < heights[1] <= 360 * 0.3
    assert heights[2] <= 360 * 0.3


def test_text_is_bright_on_its_plate() -> None:
    white = np.full((360, 640, 3), 255, np.uint8)
    title = TitleOverlay("Readable on white", width=640, height=360).draw(white, 0.0)
    assert title.max() == 255
    assert title.min() < 120


def test_opacity_is_full_at_first_and_fades_at_the_end() -> None:
    title = TitleOverlay("x", width=64, height=64, shown_seconds=2.0)
    assert [title.opacity(time) for time in (0.0, 1.6, 2.0, 9.0)] == pytest.approx([1, 1, 0, 0])
    assert 0 < title.opacity(1.8) < 1


def test_a_frame_after_the_title_is_handed_back_itself() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    assert TitleOverlay("x", width=64, height=64).draw(frame, 5.0) is frame


def test_drawing_leaves_the_given_frame_alone() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    assert TitleOverlay("x", width=64, height=64).draw(frame, 0.0).any()
    assert not frame.any()


def test_nothing_to_draw_draws_nothing() -> None:
    assert not drawn(" \n\t\x00 ", 64, 64).any()


def test_control_characters_become_spaces_invisible_ones_go_and_lines_stay() -> None:
    assert printable("  a\tb\x00c \r\n d\u200be\u202ef\n\n") == "a b c\ndef"


def test_missing_characters_are_named_once() -> None:
    assert missing_characters("plain ASCII ~!") == ""
    assert missing_characters("漢a漢\n字") == "漢字"


def test_a_character_that_the_font_lacks_is_left_out_and_draws_no_box() -> None:
    assert np.array_equal(drawn("Hi 漢 Ann 字", 320, 180), drawn("Hi Ann", 320, 180))
    assert not drawn("漢字", 64, 64).any()


def test_an_accent_that_the_font_lacks_leaves_its_letter() -> None:
    if not missing_characters("é"):
        pytest.skip("this font has accents")
    assert np.array_equal(drawn("Été", 320, 180), drawn("Ete", 320, 180))
