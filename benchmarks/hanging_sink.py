"""Does a sink that hangs make a run slower? The same rerun beside a service whose sink hangs, and one whose works.

The hanging sink is BigQuery's client on a server that takes requests and never answers. Each rerun makes every node
anew. They alternate, and take turns in going first, so that whatever else the machine does meets both. About five
minutes.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import PROJECT, keep
from benchmarks.status_service import address
from tests.sparkle_dagster.observability.bigquery_server import account_file, bigquery_server

ROUNDS = 5
WORKS = "[{kind: jsonl, path: events.jsonl}]"
HANGS = "[{kind: bigquery, project: studio, dataset: watch}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="Reruns beside each of the two services.")
    rounds, began = parser.parse_args().rounds, time.monotonic()
    with tempfile.TemporaryDirectory() as name, bigquery_server() as state:
        state.mode = "hanging"
        account = account_file(Path(name), state)
        environment = {
            **os.environ,
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "BIGQUERY_EMULATOR_HOST": state.url,
        }
        homes = {kind: prepared(Path(name) / kind, sinks) for kind, sinks in (("works", WORKS), ("hangs", HANGS))}
        seconds: dict[str, list[float]] = {kind: [] for kind in homes}
        for number in range(rounds):
            for kind in sorted(homes, reverse=bool(number % 2)):
                seconds[kind].append(rerun(*homes[kind], environment))
    middle = {kind: statistics.median(values) for kind, values in seconds.items()}
    rows = [
        {
            "sink": kind,
            "median_seconds": round(middle[kind], 2),
            "against_one_that_works": round(middle[kind] / middle["works"], 3),
            "each": " ".join(f"{value:.1f}" for value in values),
            "requests_unanswered": state.requests if kind == "hangs" else 0,
        }
        for kind, values in seconds.items()
    ]
    keep("hanging_sink", rows, began)


def prepared(folder: Path, sinks: str) -> tuple[Path, str]:
    """A project with one production."""
    for part in ("configs", "samples"):
        shutil.copytree(PROJECT / part, folder / part)
    shutil.copy(PROJECT / "workspace.yaml", folder)
    file = folder / "configs/tool_registry.yaml"
    text = re.sub(r"(status: {host: [^,]+, port: )\d+", r"\g<1>0", file.read_text())
    file.write_text(re.sub(r"sinks: \[.*?\](?=\s)", f"sinks: {sinks}", text))
    answer = command(folder, os.environ, "run", "samples/voice_short.wav", "--profile", "draft")
    return folder, str(answer["production"])


def rerun(folder: Path, key: str, environment: dict[str, str]) -> float:
    """Wall-clock seconds of one rerun, with the service beside it."""
    service = subprocess.Popen(
        [sys.executable, "-m", "sparkle_dagster.cli", "serve"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        address(folder, service)
        started = time.perf_counter()
        command(folder, environment, "rerun", key, "--from", "script", "--force")
        return time.perf_counter() - started
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def command(folder: Path, environment: Any, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "sparkle_dagster.cli", *arguments, "--json"],
        cwd=folder, env=dict(environment), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
