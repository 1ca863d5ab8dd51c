"""``docs/quality-calibration.md``: the confusion table of the review, from what the calibration kept."""

from collections import Counter
from typing import Any

import numpy as np

from benchmarks.qa_parts.productions import PROJECT
from benchmarks.record import circumstances

SHIFTS_MS = {
    "sound 80 ms late": 80,
    "sound 80 ms early": -80,
    "sound 200 ms late": 200,
    "sound 200 ms early": -200,
    "sound 200 ms late, nothing told": 200,
    "sound 200 ms early, nothing told": -200,
}
"""Where nothing is told, lip-sync left no intended curve: picture and sound alone."""
HEAD = """# What the review catches

Made by `python -m benchmarks.qa_calibration` from productions of the shipped providers: drawn faces and variants of the
shipped portrait, as photos and as films of a swaying head, with 11 to 14 s of speech each (English with its words;
German, French, Spanish and Mandarin without). Profile `web`, its shipped limits. It measures the decoded picture and
sound; the renderer's masks are not used.
"""


def write(found: list[dict[str, Any]]) -> None:
    good = [item for item in found if item["is_good"]]
    if not good:
        print("nothing was rendered in full, so there is no table")
        return
    facts = circumstances()
    parts = [HEAD, *_good(good, len(found)), *_planted(good), *_lags(good), *_values(good)]
    parts.append(f"Commit {facts['commit']}, {facts['date']}; {facts['machine']}.\n")
    (PROJECT / "docs" / "quality-calibration.md").write_text("\n".join(parts))
    print("\n".join(parts))


def _alarms(kept: dict[str, Any]) -> list[str]:
    return [name for name, values in kept["checks"].items() if values[0] in {"warn", "fail"} and name != "fidelity"]


def _good(good: list[dict[str, Any]], tried: int) -> list[str]:
    alarmed = [(item, _alarms(item["good"])) for item in good if _alarms(item["good"])]
    lines = ["## Good renders", "", f"{len(good)} productions that lip-sync rendered in full, of {tried} tried."]
    lines.append(f"**False alarms: {len(alarmed)} of {len(good)}** (any check that warns or fails).")
    lines += ["", *(f"- {item['face']}, {item['voice']}: {', '.join(names)}" for item, names in alarmed), ""]
    return lines


def _planted(good: list[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for item in good for name in item["planted"]))
    lines = [
        "## Planted faults",
        "",
        "| planted | tried | rejected | a person asked | missed | seen by |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        kept = [item["planted"][name] for item in good if name in item["planted"]]
        baseline = [set(_alarms(item["good"])) for item in good if name in item["planted"]]
        news = [set(_alarms(one)) - before for one, before in zip(kept, baseline, strict=True)]
        failed = sum(
            any(one["checks"].get(check, [""])[0] == "fail" for check in new)
            for one, new in zip(kept, news, strict=True)
        )
        missed = sum(not new for new in news)
        by = Counter(check for new in news for check in new).most_common(5)
        seen = ", ".join(f"`{check}` {count}" for check, count in by)
        lines.append(f"| {name} | {len(kept)} | {failed} | {len(kept) - failed - missed} | {missed} | {seen} |")
    return [*lines, ""]


def _lags(good: list[dict[str, Any]]) -> list[str]:
    """How well a shift is told, by the lips and by the sound alone."""
    lines = [
        "## Planted shifts recovered",
        "",
        "| planted | lips, error in ms: median, worst | confidence, least | sound, worst error in ms |",
        "|---|---|---|---|",
    ]
    for name, planted in {"none": 0, **SHIFTS_MS}.items():
        kept = [item["good"] if name == "none" else item["planted"].get(name) for item in good]
        checks = [one["checks"] for one in kept if one]
        lips = [(abs(c["lip_lag"][1] + planted), c["lip_lag"][2]) for c in checks if c["lip_lag"][1] is not None]
        sound = [abs(c["audio_shift"][1] - planted) for c in checks if c["audio_shift"][1] is not None]
        if lips and sound:
            errors = [error for error, _ in lips]
            least = min(sure for _, sure in lips if sure is not None)
            told = f"{np.median(errors):.0f}, {max(errors):.0f} ({len(lips)} of {len(checks)} told)"
            lines.append(f"| {name} | {told} | {least:.2f} | {max(sound):.0f} |")
    return [*lines, ""]


def _values(good: list[dict[str, Any]]) -> list[str]:
    """What good renders measure, to see how far the limits are."""
    lines = [
        "## What good renders measure",
        "",
        "| check | least | 5 % | median | 95 % | most | not judged |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in good[0]["good"]["checks"]:
        values = [item["good"]["checks"][name][1] for item in good if name in item["good"]["checks"]]
        numbers = [value for value in values if isinstance(value, int | float)]
        if numbers:
            low, five, half, most_of, high = np.percentile(numbers, (0, 5, 50, 95, 100))
            skipped = sum(value is None for value in values)
            cells = " | ".join(_short(value) for value in (low, five, half, most_of, high))
            lines.append(f"| `{name}` | {cells} | {skipped} |")
    return [*lines, ""]


def _short(value: float) -> str:
    return f"{value:.3g}"
