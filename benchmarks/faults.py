"""kill -9 at seeded moments of real productions, and what became of them: a table, and exit code 1 at a broken promise.

    python benchmarks/faults.py --count 50 --seed 1

``--count`` kills of each kind: the process of a command, a provider, a run's worker, the daemon, the webserver.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.faults.campaign import (
    STARTED_AT_MOST_SECONDS,
    Kill,
    Server,
    kill_in_command,
    make_served_project,
    moments,
    new_voice,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills, broken = run_campaign(Path(folder) / "project", chosen.count, chosen.seed)
    print(f"\n{chosen.count} of each kind, seed {chosen.seed}, {time.monotonic() - started:.0f} s\n")
    print(table(kills))
    for text in broken:
        print(f"BROKEN {text}")
    print(f"{len(kills)} kills hit, {len(broken)} promises broken")
    return 1 if broken else 0


def run_campaign(root: Path, count: int, seed: int) -> tuple[list[Kill], list[str]]:
    """All kills of one home; (those after which everything held, what did not hold elsewhere)."""
    kills: list[Kill] = []
    broken: list[str] = []

    def note(kill: Kill) -> None:
        print(
            f"  {kill.target:<10} {kill.moment!s:<26} ended after {kill.ended_after_seconds:5.1f} s, {kill.finished_by}"
        )
        kills.append(kill)
        if kill.ended_after_seconds >= STARTED_AT_MOST_SECONDS:
            broken.append(f"{kill.target} at {kill.moment}: under way {kill.ended_after_seconds:.0f} s after its end")

    def attempt(make: Callable[[], list[Kill]]) -> None:
        try:
            for kill in make():
                note(kill)
        except AssertionError as error:
            broken.append(str(error))

    project = make_served_project(root)
    production = project.sparkle("run", new_voice(project, "first", 0), "--profile", "draft")["production"]
    chance = random.Random(seed)
    for target in ("run", "provider"):
        for moment in moments(seed, count):
            attempt(lambda target=target, moment=moment: [kill_in_command(project, production, target, moment)])
    with Server(project) as server:
        for number, (first, second) in enumerate(zip(moments(seed + 1, count), moments(seed + 2, count), strict=True)):
            pause = chance.uniform(0, 1.5)
            attempt(
                lambda number=number, first=first, second=second, pause=pause: server.round(
                    number, first, second, pause
                )
            )
    return kills, broken


def table(kills: list[Kill]) -> str:
    lines = [f"{'killed':<12}{'kills':>6}{'ended after: median':>21}{'longest':>9}   finished by"]
    for target in dict.fromkeys(kill.target for kill in kills):
        ended = [kill.ended_after_seconds for kill in kills if kill.target == target]
        ways = Counter(_way(kill) for kill in kills if kill.target == target)
        how = ", ".join(f"{way} {count}" for way, count in ways.most_common())
        lines.append(f"{target:<12}{len(ended):>6}{statistics.median(ended):>19.1f} s{max(ended):>7.1f} s   {how}")
    return "\n".join(lines)


def _way(kill: Kill) -> str:
    return "one rerun" if kill.finished_by.startswith("sparkle rerun") else kill.finished_by


if __name__ == "__main__":
    sys.exit(main())
