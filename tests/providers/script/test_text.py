"""Written text as tokens, lines and spoken words."""

import pytest

from providers._speech.text import MAX_LINE_CHARS, cleaned, line_text, sentences, spoken, tokens


def lines(text: str) -> list[str]:
    words = tokens(text)
    return [line_text(text, words, span) for span in sentences(text, words)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello,", "hello"),
        ("don\u2019t", "don't"),
        ("ill-disposed", "ill disposed"),
        ("caf\u00e9", "cafe"),
        ("Mr.", "mister"),
        ("e.g.", "for example"),
        ("U.S.", "u s"),
        ("&", "and"),
        ("0", "zero"),
        ("14", "fourteen"),
        ("42", "forty two"),
        ("1,000", "one thousand"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("1984", "nineteen eighty four"),
        ("1905", "nineteen oh five"),
        ("1800", "eighteen hundred"),
        ("2005", "two thousand five"),
        ("1990s", "nineteen nineties"),
        ("3rd", "third"),
        ("20th", "twentieth"),
        ("2.5", "two point five"),
        ("40%", "forty percent"),
        ("$5.50", "five dollars fifty"),
        ("$1", "one dollar"),
        ("10:30", "ten thirty"),
        ("007", "zero zero seven"),
        ("COVID-19", "covid nineteen"),
        ("12345678901234567890", "one two three four five six seven eight nine zero " * 2),
        ("\u043f\u0440\u0438\u0432\u0435\u0442", ""),
        ("...", ""),
    ],
)
def test_spoken_words(written: str, said: str) -> None:
    assert spoken(written) == said.split()


def test_tokens_keep_their_spelling_and_punctuation() -> None:
    assert [token.text for token in tokens("\u201cHello,\u201d he said.")] == ["\u201cHello,\u201d", "he", "said."]


def test_punctuation_that_stands_alone_belongs_to_a_word() -> None:
    assert [token.text for token in tokens("\u2014 Smith \u2014 really ?")] == ["\u2014 Smith \u2014", "really ?"]


def test_text_without_words_has_no_tokens() -> None:
    assert tokens(" ... \u2014 !") == ()


def test_scripts_without_spaces_are_cut_by_character() -> None:
    assert [token.text for token in tokens("\u5929\u6c14\u5f88\u597d\u3002")] == [*"\u5929\u6c14\u5f88", "\u597d\u3002"]


def test_a_line_is_a_sentence() -> None:
    assert lines("One two. Three! Four?") == ["One two.", "Three!", "Four?"]


def test_abbreviations_and_initials_end_no_sentence() -> None:
    assert lines("Mr. J. Smith came. He sat.") == ["Mr. J. Smith came.", "He sat."]


def test_newlines_break_lines_only_where_punctuation_does_not() -> None:
    assert lines("a rose\nis a rose") == ["a rose", "is a rose"]
    assert lines("It was. A rose\nis a rose.") == ["It was.", "A rose is a rose."]
    assert lines("Title\n\nIt was. So.") == ["Title", "It was.", "So."]


def test_long_sentences_are_cut_at_their_commas() -> None:
    parts = lines(", ".join(["some words that go together"] * 9) + ".")
    assert len(parts) > 1
    assert all(len(part) <= MAX_LINE_CHARS and part.endswith((",", ".")) for part in parts)


def test_cleaning_removes_what_cannot_be_seen() -> None:
    assert cleaned("\ufeffa\x00\x1b b\u202ec\r\n\r\n\r\n\r\nd\u00a0 e") == "a bc\n\nd e"
