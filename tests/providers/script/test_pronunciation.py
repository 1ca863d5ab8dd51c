"""Pronunciations: the real dictionary first, a guess after it."""

import pytest

from providers._speech.decoding import Recogniser, word_follower
from providers._speech.pronunciation import phones_of


@pytest.fixture(scope="module")
def ear() -> Recogniser:
    return word_follower()


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("leisure", "L EH ZH ER"),  # the dictionary's, which no rule would give
        ("dashwood's", "D AE SH W UH D Z"),
        ("wishlists", "W IH SH L IH S T S"),
        ("blick", "B L IH K"),
        ("frobe", "F R OW B"),
        ("zorblax", "Z AO R B L AE K S"),
        ("xqz", "EH K S K Y UW Z IY"),
        ("'", None),
    ],
)
def test_phones(ear: Recogniser, word: str, phones: str | None) -> None:
    assert phones_of(word, ear.lookup) == phones


def test_every_guess_can_be_taught(ear: Recogniser) -> None:
    """A guess with a unit that the acoustic model does not know would raise."""
    for word in ("thwibbly", "phnglui", "aeiouy", "schtroumpf", "quaxxle", "yggdrasil", "o'zzle", "knaughtion"):
        phones = phones_of(word, ear.lookup)
        assert phones
        ear.teach(word, phones)
        assert ear.lookup(word) == phones
