"""From which confidence on a mouth may be drawn: drawn faces, good and bad, whose mouths are known to the pixel.

    python -m benchmarks.lipsync_parts.confidence --count 300

A face counts as good when a mouth drawn there would look right: the found centre is within a quarter of the mouth's
half width of the true one, the width within a third, and nothing covers the lips. Prints how many good faces are drawn
and how many bad ones, by threshold, and the lowest threshold that draws no more than one bad face in a hundred.
"""

import argparse
import math
import random
import time

from benchmarks.record import keep_tables
from providers._media.faces import find_faces
from providers._media.mouth_landmarks import SURE, locate_mouth
from tests.drawn_faces import MOUTHS, SKINS, DrawnFace, draw_face

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CLOSE, AS_WIDE = 0.25, 1 / 3
MOST_BAD = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    good: list[float] = []
    bad: list[float] = []
    for face in some_faces(chosen.count, chosen.seed):
        confidence, is_good = judged(face)
        (good if is_good else bad).append(confidence)
    title = f"{len(good)} good faces, {len(bad)} covered, wide open, or not found where they are"
    print(f"{title}\n\n{'drawn from':>11}{'good drawn':>12}{'bad drawn':>11}")
    rows: list[dict[str, str | float]] = []
    for threshold in THRESHOLDS:
        drawn, wrongly = f"{share(good, threshold):.1%}", f"{share(bad, threshold):.1%}"
        print(f"{threshold:>11.1f}{drawn:>12}{wrongly:>11}")
        rows.append({"drawn_from_confidence": threshold, "good_faces_drawn": drawn, "bad_faces_drawn": wrongly})
    command = f"python -m benchmarks.lipsync_parts.confidence --count {chosen.count} --seed {chosen.seed}"
    keep_tables("lipsync_confidence", {title: rows}, started, command=command)
    best = next((value for value in THRESHOLDS if share(bad, value) <= MOST_BAD), THRESHOLDS[-1])
    print(f"\nlowest with at most {MOST_BAD:.0%} bad: {best:.1f}; in force: {SURE:.1f}")


def some_faces(count: int, seed: int) -> list[DrawnFace]:
    """One in three with something that should keep a mouth from being drawn."""
    chance = random.Random(seed)
    faces: list[DrawnFace] = []
    for number in range(count):
        spoiled = chance.choice(("moustache", "hand", "wide", "turn")) if number % 3 == 0 else ""
        faces.append(
            DrawnFace(
                skin=chance.choice(tuple(SKINS)),
                mouth="wide" if spoiled == "wide" else chance.choice(MOUTHS[:-1]),
                moustache=spoiled == "moustache",
                hand=spoiled == "hand",
                beard=chance.random() < 0.2,
                glasses=chance.random() < 0.25,
                roll_degrees=chance.uniform(-20, 20),
                turn=chance.choice((-1, 1)) * chance.uniform(0.9, 1.3)
                if spoiled == "turn"
                else chance.uniform(-0.3, 0.3),
                light=chance.uniform(-1, 1),
                blur_px=chance.uniform(0.5, 2.5),
                seed=seed * 10_000 + number,
            )
        )
    return faces


def judged(face: DrawnFace) -> tuple[float, bool]:
    """Confidence (0 where nothing was found), and whether a mouth drawn there would look right."""
    picture = draw_face(face)
    found = find_faces(picture)
    mouth = locate_mouth(picture, found[0]) if found else None
    if mouth is None:
        return 0.0, False
    true_half = face.mouth_half_width_px()
    middle = len(mouth.upper_inner) // 2
    v = float(mouth.upper_inner[middle] + mouth.lower_inner[middle]) / 2 if face.mouth != "smile" else 0.0
    off = math.dist(mouth.to_picture(0, v), face.mouth_centre_px()) / true_half
    width = mouth.half_width_px / true_half
    covered = face.moustache or face.hand or face.mouth == "wide"
    return mouth.confidence, off < CLOSE and abs(width - 1) < AS_WIDE and not covered


def share(confidences: list[float], threshold: float) -> float:
    drawn = sum(value >= threshold and value > 0 for value in confidences)
    return drawn / max(1, len(confidences))


if __name__ == "__main__":
    main()
