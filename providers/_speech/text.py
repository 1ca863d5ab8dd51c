"""Written text as tokens, sentences and spoken English words. Not here: times, captions, file formats.

A token is what becomes one ``Word``: it keeps its spelling and punctuation. What is said for it stands beside it.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers._speech.spoken_numbers import NUMBER, number_words

MAX_LINE_CHARS = 120

_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miss",
    "dr": "doctor",
    "st": "saint",
    "prof": "professor",
    "vs": "versus",
    "etc": "et cetera",
    "jr": "junior",
    "sr": "senior",
    "no": "number",
    "e.g": "for example",
    "i.e": "that is",
}
_SYMBOLS = {"&": "and", "@": "at", "%": "percent", "+": "plus", "=": "equals", "#": "number", "°": "degrees"}
CLOSING = "\"'\u201d\u2019\u00bb)]}"  # may follow the punctuation that ends a sentence
_OPENING = "\"'\u201c\u2018\u00ab([{"
SENTENCE_END = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")
PHRASE_END = (*SENTENCE_END, ",", ";", ":", "\u2013", "\u2014", "\uff0c", "\u3001")
_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # can make a text show what it is not
# Scripts written without spaces between words: one character, one token.
_SOLID = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_SOLID}][^\w\s]*|[^\s{_SOLID}]+")
_PIECE = re.compile(rf"{NUMBER.pattern}|(?P<word>[A-Za-z]+(?:'[A-Za-z]+)*'?)|(?P<symbol>[&@%+=#°])|\d", re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """One written word and where it stands: ``text[start:end]`` of the text it came from."""

    text: str
    start: int
    end: int


def cleaned(text: str) -> str:
    """The text without byte order mark, control characters and needless spaces; line ends are ``\\n``."""
    text = unicodedata.normalize("NFC", text.lstrip("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(
        char if char == "\n" else " " if char.isspace() else char
        for char in text
        if char.isspace() or (unicodedata.category(char) not in {"Cc", "Cs", "Cn"} and char not in _OVERRIDES)
    )
    lines = (re.sub(r" +", " ", line).strip() for line in kept.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def tokens(text: str) -> tuple[Token, ...]:
    """Words in order. Punctuation that stands alone belongs to the word before it (or, at the start, after it)."""
    found: list[Token] = []
    leading: int | None = None
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if any(char.isalnum() for char in match[0]):
            start = start if leading is None else leading
            leading = None
            found.append(Token(_inline(text[start:end]), start, end))
        elif found:
            start = found[-1].start
            found[-1] = Token(_inline(text[start:end]), start, end)
        else:
            leading = start if leading is None else leading
    return tuple(found)


def _inline(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def sentences(text: str, words: Sequence[Token]) -> tuple[range, ...]:
    """Ranges of token indices, one per line of a script: a sentence, or a phrase of one that is long."""
    breaks_at_newline = not any(_ends_sentence(word.text) for word in words[:-1])
    ranges: list[range] = []
    first = 0
    for index, word in enumerate(words):
        gap = text[word.end : words[index + 1].start] if index + 1 < len(words) else ""
        if (
            index + 1 == len(words)
            or _ends_sentence(word.text)
            or gap.count("\n") > 1
            or ("\n" in gap and breaks_at_newline)
        ):
            ranges += _phrases(words, range(first, index + 1))
            first = index + 1
    return tuple(ranges)


def line_text(text: str, words: Sequence[Token], span: range) -> str:
    """The text from the first to the last token of a range, on one line."""
    return _inline(text[words[span.start].start : words[span.stop - 1].end])


def _ends_sentence(word: str) -> bool:
    bare = word.rstrip(CLOSING)
    if not bare.endswith("."):
        return bare.endswith(SENTENCE_END)
    stem = bare.rstrip(".").lstrip(_OPENING).lower()
    return stem not in _ABBREVIATIONS and not re.fullmatch(r"[a-z](\.[a-z])*", stem)


def ends_phrase(word: str) -> bool:
    """Whether a reader pauses after the word."""
    return word.rstrip(CLOSING).endswith(PHRASE_END)


def _phrases(words: Sequence[Token], span: range) -> list[range]:
    """A long sentence cut at its inner punctuation, as evenly as that allows."""
    start, end = words[span.start].start, words[span.stop - 1].end
    if end - start <= MAX_LINE_CHARS:
        return [span]
    middle = (start + end) / 2
    cuts = [index + 1 for index in span[:-1] if ends_phrase(words[index].text)]
    if not cuts:
        return [span]
    cut = min(cuts, key=lambda index: abs(words[index].start - middle))
    return _phrases(words, range(span.start, cut)) + _phrases(words, range(cut, span.stop))


def spoken(written: str) -> list[str]:
    """English words said for one token, lower case ``[a-z']``; empty when nothing in it can be read as English.

    >>> spoken("“Mr.”"), spoken("$5.50,"), spoken("ill-disposed"), spoken("NASA's")
    (['mister'], ['five', 'dollars', 'fifty'], ['ill', 'disposed'], ["nasa's"])
    """
    plain = _latin(written)
    bare = plain.strip(" \"'()[]{}.,;:!?-").lower()
    if bare in _ABBREVIATIONS and plain.rstrip(" \"')]},;:!?").endswith("."):
        return _ABBREVIATIONS[bare].split()
    if re.fullmatch(r"(?:[A-Za-z]\.){2,}[A-Za-z]?", plain.strip(" \"'(),;:!?")):
        return [char.lower() for char in plain if char.isalpha()]
    return [word for piece in _PIECE.finditer(plain) for word in _said(piece)]


def _said(piece: re.Match[str]) -> Iterator[str]:
    if piece["word"]:
        yield piece["word"].lower()
    elif piece["symbol"]:
        yield _SYMBOLS[piece["symbol"]]
    elif piece["whole"]:
        yield from number_words(piece)
    else:
        yield from number_words(NUMBER.fullmatch(piece[0]) or piece)


def _latin(text: str) -> str:
    """Without accents, with plain quotes and hyphens."""
    text = text.translate(str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "ß": "ss"}))  # noqa: RUF001
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))
