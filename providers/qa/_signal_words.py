"""What is said in the finished file, beside the script: words placed on the final sound, and words heard anew."""

import re
from typing import NamedTuple

from contracts.artifacts import Span
from contracts.qa import QACheck
from contracts.script import ScriptResult, Word
from providers._media.sound_on_disk import SoundOnDisk
from providers._speech.heard_again import starts_heard
from providers._speech.recognise import recognise
from providers.qa._signal_captions import cues_of
from providers.qa._signal_catalogue import Catalogue

Placed = dict[tuple[int, int], float | None]
"""Seconds at which a word is heard, by (line, word of it); None where it is not."""

LEAST_WORDS = 4  # of fewer, one word is too large a share
IN_PLACE_SECONDS = 0.15  # the right sound puts 95 to 100 % of the words there, others up to half
NO_SCRIPT = "There are no words that a person wrote, so nothing to compare with."


class WordErrors(NamedTuple):
    """Word error rates against the script, 0 none, by the same recogniser."""

    finished: float
    recording: float


def can_align(script: ScriptResult | None) -> bool:
    """A person's English words, and they were found in the recording."""
    return script is not None and script.has_confident_words and script.phones_origin == "aligned"


def placed_words(samples: SoundOnDisk | None, script: ScriptResult | None, shift_seconds: float | None) -> Placed:
    """Where the script's words are heard in the finished sound."""
    if samples is None or script is None:
        return {}
    return starts_heard(samples, script.lines, shift_seconds or 0.0)


def word_errors(samples: SoundOnDisk, recording: SoundOnDisk, script: ScriptResult) -> WordErrors:
    """Both are listened to: the recogniser errs on a quarter of all words, so only the difference tells."""
    from jiwer import wer

    written = _plain(_text(script))
    heard = [_plain(" ".join(word.text for word in recognise(sound))) for sound in (samples, recording)]
    return WordErrors(*(float(wer(" ".join(written), " ".join(words))) for words in heard))


def in_sound(
    catalogue: Catalogue, script: ScriptResult | None, placed: Placed | None, shift_seconds: float | None
) -> QACheck:
    """Of the words that were found in the recording, the share found at their place in the finished sound."""
    check_id = "script_in_sound"
    if script is None or placed is None:
        return catalogue.skipped(check_id, NO_SCRIPT)
    expected = [
        (word, placed[number, place])
        for number, line in enumerate(script.lines)
        for place, word in enumerate(line.words)
        if (number, place) in placed
    ]
    if len(expected) < LEAST_WORDS:
        return catalogue.skipped(check_id, f"Only {len(expected)} words; expected at least {LEAST_WORDS}.")
    missing = [word for word, start in expected if not _is_in_place(word, start, shift_seconds or 0.0)]
    share = 1 - len(missing) / len(expected)
    message = f"{len(expected) - len(missing)} of {len(expected)} words are heard where the script has them."
    if missing:
        message += f" Not: {', '.join(word.text for word in missing[:5])}{' ...' if len(missing) > 5 else ''}"
    evidence = [
        Span(start_seconds=word.start_seconds, end_seconds_exclusive=word.end_seconds_exclusive) for word in missing
    ]
    return catalogue.measured(check_id, share, message, evidence=evidence, digits=2)


def captions_text(catalogue: Catalogue, script: ScriptResult | None, subrip: str | None) -> QACheck:
    """The captions say all words of the script, in order, and no others."""
    from difflib import SequenceMatcher

    check_id = "captions_text"
    if script is None or subrip is None or not script.words:
        return catalogue.skipped(check_id, "There are no captions, or no words to compare them with.")
    cues = cues_of(subrip)
    said = [(word, number) for number, cue in enumerate(cues) for word in _plain(cue.text)]
    written = _plain(_text(script))
    if not written:
        return catalogue.skipped(check_id, "The script holds no words.")
    matcher = SequenceMatcher(None, written, [word for word, _ in said], autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    different = len(written) + len(said) - 2 * same
    wrong = {
        said[at][1] for kind, _, _, first, end in matcher.get_opcodes() if kind != "equal" for at in range(first, end)
    }
    evidence = [
        Span(start_seconds=cues[number].start, end_seconds_exclusive=max(cues[number].start, cues[number].end))
        for number in sorted(wrong)
    ]
    message = f"{same} of the script's {len(written)} words stand in the captions, which have {len(said)}."
    return catalogue.measured(check_id, different / len(written), message, evidence=evidence)


def word_error_rate(catalogue: Catalogue, found: WordErrors | None) -> QACheck:
    check_id = "word_error_rate"
    if found is None:
        return catalogue.skipped(check_id, "Not asked for (option word_error_rate), or no words to compare with.")
    message = (
        f"The recogniser errs on {found.finished:.0%} of the words here and on {found.recording:.0%} in the recording."
    )
    return catalogue.measured(check_id, found.finished - found.recording, message)


def _is_in_place(word: Word, start_seconds: float | None, shift_seconds: float) -> bool:
    return start_seconds is not None and abs(start_seconds - word.start_seconds - shift_seconds) <= IN_PLACE_SECONDS


def _text(script: ScriptResult) -> str:
    return " ".join(word.text for word in script.words)


def _plain(text: str) -> list[str]:
    """Words without case and punctuation; characters of scripts without spaces one by one."""
    return [word.strip("_'") for word in re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[\w']+", text.casefold())]
