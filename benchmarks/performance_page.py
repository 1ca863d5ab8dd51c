"""``docs/performance.md``, made from the results that are kept."""

import json
from typing import Any

from benchmarks.record import PROJECT, RESULTS

QUESTIONS = {
    "pipeline": "A whole production against the length of the voice",
    "qa": "The review of a minute, and what each group of checks takes",
    "faults": "What became of productions whose processes were killed",
    "loading": "Loading the definitions against importing Dagster",
    "provider_process": "One attempt of a provider without work of its own",
    "lanes": "What a lane adds to an attempt, and how soon it ends",
    "plan": "What the platform itself costs, and what running again costs",
    "hanging_sink": "A run whose events go to a sink that hangs against one whose sink works",
    "status_service": "/status with 50 productions in flight and 10,000 finished, under load",
    "sensor_tick": "A tick of the inbox sensor that starts nothing",
    "buckets_and_sweeps": "Large files on a disk and in a bucket; a sweep and a listing of 100,000",
    "store": "Putting and verifying against SHA-256 alone",
    "lipsync_wav2lip": "Wav2Lip against the plain way to run it",
    "lipsync_rendering": "Lip-sync without weights against the encoder alone",
    "lipsync_agreement": "How far a mouth without weights moves as told",
    "lipsync_confidence": "From which confidence a mouth is drawn",
}
HEAD = """# Performance

Made by `make bench` from `benchmarks/results/`: it measures all of this again, on your machine, in about 44 minutes,
and writes this page. Quiet the machine first: the load average stands with each table.
"""


def write() -> None:
    parts = [HEAD]
    for name, question in QUESTIONS.items():
        path = RESULTS / f"{name}.json"
        if path.is_file():
            parts.append(_section(question, name, json.loads(path.read_text())))
    (PROJECT / "docs/performance.md").write_text("\n".join(parts))


def _section(question: str, name: str, found: dict[str, Any]) -> str:
    lines = [f"## {question}", ""]
    for title, rows in (found.get("tables") or {"": found["rows"]}).items():
        lines += [*([f"**{title}**", ""] if title else []), *_table(rows), ""]
    command = found.get("command", f"python -m benchmarks.{name}")
    told = f"`{command}`, {found['took_seconds']} s; {found['machine']}, load average"
    return "\n".join([*lines, f"{told} {found['load_average_5min']}, commit {found['commit']}, {found['date']}.", ""])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = [_line([column.replace("_", " ") for column in columns]), _line(["---"] * len(columns))]
    return [*head, *(_line([str(row.get(column, "")) for column in columns]) for row in rows)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    write()
