"""Digits as the words a reader of English says. Not here: other languages, arithmetic, dates beyond years."""

import re

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "€": ("euro", "euros")}
_MAX_CARDINAL = 10**15

NUMBER = re.compile(
    r"(?P<currency>[$£€])?(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<fraction>\d+))?"
    r"(?P<ending>st|nd|rd|th|s|%)?(?![A-Za-z])",
    re.IGNORECASE,
)
"""One number as it is written, with what belongs to it: ``$5.50``, ``1,000``, ``3rd``, ``1990s``, ``40%``."""


def number_words(match: re.Match[str]) -> list[str]:
    """The words for a match of ``NUMBER``."""
    whole = match["whole"].replace(",", "")
    fraction, ending = match["fraction"], (match["ending"] or "").lower()
    if match["currency"]:
        return _money(whole, fraction, _CURRENCIES[match["currency"]])
    if fraction:
        words = [*_integer(whole), "point", *(_UNITS[int(digit)] for digit in fraction)]
    elif _reads_as_year(whole, match["whole"]):
        words = _year(int(whole))
    else:
        words = _integer(whole)
    if ending == "%":
        return [*words, "percent"]
    if ending == "s":
        return [*words[:-1], _plural(words[-1])]
    return [*words[:-1], _ordinal(words[-1])] if ending else words


def cardinal(number: int) -> list[str]:
    """``1234`` as one thousand two hundred thirty four."""
    if number < 20:
        return [_UNITS[number]]
    if number < 100:
        tens, units = divmod(number, 10)
        return [_TENS[tens], *([_UNITS[units]] if units else [])]
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return [_UNITS[hundreds], "hundred", *(cardinal(rest) if rest else [])]
    scale, name = next((scale, name) for scale, name in _SCALES if number >= scale)
    many, rest = divmod(number, scale)
    return [*cardinal(many), name, *(cardinal(rest) if rest else [])]


def _integer(digits: str) -> list[str]:
    if int(digits[:16]) >= _MAX_CARDINAL or len(digits) > 15 or (len(digits) > 1 and digits[0] == "0"):
        return [_UNITS[int(digit)] for digit in digits]
    return cardinal(int(digits))


def _reads_as_year(whole: str, written: str) -> bool:
    return "," not in written and len(whole) == 4 and 1100 <= int(whole) <= 2099 and not 2000 <= int(whole) <= 2009


def _year(number: int) -> list[str]:
    century, rest = divmod(number, 100)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]


def _money(whole: str, cents: str | None, names: tuple[str, str]) -> list[str]:
    words = [*_integer(whole), names[0] if int(whole) == 1 else names[1]]
    if cents and len(cents) == 2 and int(cents):
        words += cardinal(int(cents))
    return words


def _ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def _plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("x") else f"{word}s"
