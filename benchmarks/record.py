"""Keeping what a benchmark found, with machine, commit and date; and using an installation as a person would."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

PROJECT = Path(__file__).parent.parent
RESULTS = PROJECT / "benchmarks/results"

Found = TypeVar("Found")


def keep(name: str, rows: list[dict[str, Any]], started: float) -> None:
    """Write ``results/<name>.json`` and print the rows.

    Args:
        started: when the benchmark began, of the monotonic clock.
    """
    _write(name, {"rows": rows, "took_seconds": round(time.monotonic() - started)})
    for row in rows:
        print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))


def keep_tables(name: str, tables: dict[str, list[dict[str, Any]]], started: float, *, command: str) -> None:
    """Write ``results/<name>.json`` with several tables by their titles; ``command`` measures them again."""
    _write(name, {"tables": tables, "command": command, "took_seconds": round(time.monotonic() - started)})


def _write(name: str, found: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found | circumstances(), indent=1) + "\n")


def circumstances() -> dict[str, Any]:
    """Machine, commit and date; and how busy the machine was with other things."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in facts if "model name" in line), platform.machine())
    flags = next((line.split() for line in facts if line.startswith("flags")), [])
    units = "".join(f", {name}" for name in ("avx512_bf16", "amx_bf16") if name in flags)
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores{units}",
        "load_average_5min": round(os.getloadavg()[1], 1),
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
    }


def make_project(folder: Path) -> Path:
    """A copy of the shipped configuration and samples."""
    for name in ("configs", "samples"):
        shutil.copytree(PROJECT / name, folder / name)
    shutil.copy(PROJECT / "workspace.yaml", folder)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} does not contain {old!r}"
    file.write_text(text.replace(old, new))


def sparkle(project: Path, *arguments: str | Path, **selectors: str) -> Any:
    """`sparkle <arguments> --json`; its answer."""
    command = [sys.executable, "-m", "sparkle_dagster.cli", *map(str, arguments), "--json"]
    done = subprocess.run(
        command, cwd=project, env={**os.environ, **selectors}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"sparkle {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found
