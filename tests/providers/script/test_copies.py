"""Windows aligned at the same time give what they give one after another, also where text and sound part."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import pytest

from providers._speech import alignment
from providers._speech.alignment import Alignment, align
from tests.providers.script.conftest import Samples, silence
from tests.providers.script.test_alignment import SHORT_WORDS, WORDS

TEXTS = {
    "it fits": f"{WORDS} {SHORT_WORDS} {WORDS}",
    "a sentence is missing": f"{WORDS} {WORDS}",
    "a sentence is not said": f"{WORDS} Call me later when the water is boiling. {SHORT_WORDS} {WORDS}",
    "the end is missing": f"{WORDS} {SHORT_WORDS}",
}


@contextmanager
def one_processor() -> Generator[None]:
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def spent_by_copies(samples: Samples, text: str) -> tuple[Alignment, float]:
    before = os.times().children_user
    found = align(samples, text)
    return found, os.times().children_user - before


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor makes no copies")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_copies_change_nothing(
    text: str, voice: Samples, voice_short: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment, "WINDOW_SECONDS", 6.0)
    samples = np.concatenate([voice, silence(0.5), voice_short, silence(0.5), voice])
    with one_processor():
        alone, spent_alone = spent_by_copies(samples, text)
    together, spent = spent_by_copies(samples, text)
    assert together == alone
    assert (spent_alone, spent > 0) == (0, True), "the work was done in copies, and only where there is room for them"
