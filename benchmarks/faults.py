"""kill -9 at seeded moments of real productions, and what became of them: a table, and exit code 1 at a broken promise.

    python benchmarks/faults.py --count 50 --seed 1         about 80 minutes on two quiet cores

``--count`` kills of each kind: the process of a command, of a step, a provider, a run's worker, the daemon, the
webserver. The commands' home and the served one are two, and go on beside each other. The table is kept as
``benchmarks/results/faults.json`` with machine, commit and date.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.record import circumstances
from tests.faults.campaign import (
    IN_COMMANDS,
    STARTED_AT_MOST_SECONDS,
    Kill,
    Server,
    kill_in_command,
    make_served_project,
    moments,
    new_voice,
)

RESULTS = Path(__file__).parent / "results/faults.json"


@dataclass
class Campaign:
    """Kills after which everything held, and what did not hold elsewhere."""

    count: int
    seed: int
    started: float = field(default_factory=time.monotonic)
    machine: dict[str, str] = field(default_factory=circumstances)
    kills: list[Kill] = field(default_factory=list[Kill])
    broken: list[str] = field(default_factory=list[str])

    def in_commands(self, root: Path) -> None:
        project = make_served_project(root)
        production = project.sparkle("run", new_voice(project, "first", 0), "--profile", "draft")["production"]
        for turn, moment in enumerate(moments(self.seed, self.count * len(IN_COMMANDS))):
            target = IN_COMMANDS[turn % len(IN_COMMANDS)]
            self.attempt(lambda target=target, moment=moment: [kill_in_command(project, production, target, moment)])

    def in_services(self, root: Path) -> None:
        chance = random.Random(self.seed)
        with Server(make_served_project(root)) as server:
            pairs = zip(moments(self.seed + 1, self.count), moments(self.seed + 2, self.count), strict=True)
            for worker, services in pairs:
                pause = chance.uniform(0, 0.2)  # Dagster ends the webserver some seconds after the daemon is lost
                self.attempt(lambda a=worker, b=services, pause=pause: server.round(a, b, pause))

    def attempt(self, make: Callable[[], list[Kill]]) -> None:
        try:
            for kill in make():
                self.note(kill)
        except AssertionError as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.broken.append(f"{Path(place.filename).name}:{place.lineno}: {place.line}: {error}")
            print(f"BROKEN {self.broken[-1]}", flush=True)

    def note(self, kill: Kill) -> None:
        ended = f"ended after {kill.ended_after_seconds:5.1f} s"
        print(f"  {kill.target:<10} {kill.moment!s:<26} {ended}, {kill.finished_by}", flush=True)
        self.kills.append(kill)
        self.keep()
        if kill.target not in IN_COMMANDS and kill.ended_after_seconds >= STARTED_AT_MOST_SECONDS:
            self.broken.append(f"{kill.target} at {kill.moment}: under way {kill.ended_after_seconds:.0f} s after it")

    def keep(self) -> list[dict[str, Any]]:
        """The rows so far, also as a file: a campaign that is ended early has its say too."""
        total = {"killed": "all", "kills": len(self.kills), "promises_broken": len(self.broken)}
        rows = [*table(self.kills), total]
        command = f"python benchmarks/faults.py --count {self.count} --seed {self.seed}"
        result = {"rows": rows, "broken_promises": self.broken, "command": command, "took_seconds": self.took_seconds}
        RESULTS.write_text(json.dumps(result | self.machine, indent=1) + "\n")
        return rows

    @property
    def took_seconds(self) -> int:
        return round(time.monotonic() - self.started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    campaign = Campaign(chosen.count, chosen.seed)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as beside:
        halves = [
            beside.submit(campaign.in_commands, Path(folder) / "commands"),
            beside.submit(campaign.in_services, Path(folder) / "services"),
        ]
        for half in halves:
            half.result()
    rows = campaign.keep()
    print(f"\n{chosen.count} of each kind, seed {chosen.seed}, {campaign.took_seconds / 60:.0f} min\n")
    for row in rows:
        print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))
    for text in campaign.broken:
        print(f"BROKEN {text}")
    print(f"{len(campaign.kills)} kills hit, {len(campaign.broken)} promises broken")
    return 1 if campaign.broken else 0


def table(kills: list[Kill]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for target in dict.fromkeys(kill.target for kill in kills):
        ended = [kill.ended_after_seconds for kill in kills if kill.target == target]
        ways = Counter(_way(kill) for kill in kills if kill.target == target).most_common()
        row: dict[str, Any] = {"killed": target, "kills": len(ended)}
        row["run_ended_after_median_s"] = round(statistics.median(ended), 1)
        row["longest_s"] = round(max(ended), 1)
        rows.append(row | {"production_finished_by": ", ".join(f"{way} {number}" for way, number in ways)})
    return rows


def _way(kill: Kill) -> str:
    return "one rerun" if kill.finished_by.startswith("sparkle rerun") else kill.finished_by


if __name__ == "__main__":
    sys.exit(main())
