"""How English words sound, in ARPABET: the recogniser's dictionary first, then a guess from the spelling.

The guess follows common letter-to-sound rules; it only has to be near enough for forced alignment.
"""

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""A word in lower case -> its phones separated by spaces, or None when the dictionary does not hold it."""

_MIN_COMPOUND_PART = 3
_VOWEL_PHONES = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])
_UNVOICED = frozenset(["P", "T", "K", "F", "TH"])
_SIBILANT = frozenset(["S", "Z", "SH", "ZH", "CH", "JH"])

# Longest first within equal starts; '^' at the word's start only, '$' at its end only.
_RULES: tuple[tuple[str, str], ...] = (
    ("^kn", "N"),
    ("^gn", "N"),
    ("^ps", "S"),
    ("^wr", "R"),
    ("^x", "Z"),
    ("^y", "Y"),
    ("tion", "SH AH N"),
    ("sion", "ZH AH N"),
    ("cious", "SH AH S"),
    ("tious", "SH AH S"),
    ("ture", "CH ER"),
    ("ought", "AO T"),
    ("aught", "AO T"),
    ("eigh", "EY"),
    ("igh", "AY"),
    ("ough", "OW"),
    ("tch", "CH"),
    ("dge", "JH"),
    ("sch", "S K"),
    ("ch", "CH"),
    ("sh", "SH"),
    ("th", "TH"),
    ("ph", "F"),
    ("wh", "W"),
    ("ck", "K"),
    ("ng", "NG"),
    ("qu", "K W"),
    ("gh", "G"),
    ("zh", "ZH"),
    ("eau", "OW"),
    ("ee", "IY"),
    ("ea", "IY"),
    ("oo", "UW"),
    ("ou", "AW"),
    ("ow", "OW"),
    ("oi", "OY"),
    ("oy", "OY"),
    ("ai", "EY"),
    ("ay", "EY"),
    ("ei", "EY"),
    ("ey", "IY"),
    ("ie", "IY"),
    ("au", "AO"),
    ("aw", "AO"),
    ("oa", "OW"),
    ("ue", "UW"),
    ("ew", "UW"),
    ("ui", "UW"),
    ("eu", "UW"),
    ("ar", "AA R"),
    ("er", "ER"),
    ("ir", "ER"),
    ("ur", "ER"),
    ("or", "AO R"),
    ("le$", "AH L"),
    ("es$", "Z"),
    ("e$", ""),
    ("a$", "AH"),
    ("o$", "OW"),
    ("i$", "IY"),
    ("y$", "IY"),
)
_LETTERS = {
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IH", "z": "Z",
}  # fmt: skip
_LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW", "y": "AY"}


def phones_of(word: str, lookup: Lookup) -> str | None:
    """Phones of a spoken word (lower case, ``[a-z']``), separated by spaces; None when nothing in it can be said."""
    letters = re.sub(r"[^a-z']", "", word).strip("'")
    if not letters:
        return None
    return lookup(letters) or _inflected(letters, lookup) or _compound(letters, lookup) or guess(letters)


def _inflected(word: str, lookup: Lookup) -> str | None:
    for ending, sound in (("'s", None), ("s'", None), ("s", None), ("ing", "IH NG"), ("ed", "D"), ("ly", "L IY")):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2:
            continue
        known = lookup(stem) or (lookup(stem + "e") if ending in {"ing", "ed"} else None)
        if known:
            return f"{known} {sound or _plural_sound(known)}"
    return None


def _plural_sound(phones: str) -> str:
    last = phones.rsplit(maxsplit=1)[-1]
    if last in _SIBILANT:
        return "IH Z"
    return "S" if last in _UNVOICED else "Z"


def _compound(word: str, lookup: Lookup) -> str | None:
    """Two dictionary words written as one; of several cuts the most even."""
    cuts = range(_MIN_COMPOUND_PART, len(word) - _MIN_COMPOUND_PART + 1)
    for cut in sorted(cuts, key=lambda cut: abs(2 * cut - len(word))):
        first, second = lookup(word[:cut]), lookup(word[cut:])
        if first and second:
            return f"{first} {second}"
    return None


def guess(word: str) -> str:
    """Phones from spelling alone.

    >>> guess("blick")
    'B L IH K'
    """
    letters = word.replace("'", "")
    if not re.search(r"[aeiouy]", letters):
        return spelled(letters)
    phones: list[str] = []
    position = 0
    while position < len(letters):
        sounds, length = _next_sound(letters, position)
        phones += sounds.split()
        position += length
    phones = [phone for index, phone in enumerate(phones) if index == 0 or phone != phones[index - 1]]
    return " ".join(phones) if _VOWEL_PHONES & set(phones) else spelled(letters)


def _next_sound(word: str, position: int) -> tuple[str, int]:
    rest = word[position:]
    for pattern, sounds in _RULES:
        bare = pattern.strip("^$")
        if not rest.startswith(bare) or (pattern[0] == "^" and position):
            continue
        if pattern[-1] != "$" or (rest == bare and position):
            return sounds, len(bare)
    letter = rest[0]
    if letter in "cg" and rest[1:2] in {"e", "i", "y"}:
        return ("S" if letter == "c" else "JH"), 1
    if letter in _LONG and re.match(r".[^aeiouywx]e$", rest):
        return _LONG[letter], 1
    return _LETTERS[letter], 1


_LETTER_NAMES = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH",
    "i": "AY", "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY",
    "q": "K Y UW", "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW",
    "x": "EH K S", "y": "W AY", "z": "Z IY",
}  # fmt: skip


def spelled(letters: str) -> str:
    """Phones of the letters' names, one after the other."""
    return " ".join(_LETTER_NAMES[letter] for letter in letters)
