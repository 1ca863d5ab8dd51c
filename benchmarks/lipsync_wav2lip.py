"""Wav2Lip against a plain baseline: the network alone, whole clips, memory over length, the face track, a GPU if any.

    python benchmarks/lipsync_wav2lip.py                       # about 15 minutes on two quiet cores
    python benchmarks/lipsync_wav2lip.py --presets veryfast,medium
    python benchmarks/lipsync_wav2lip.py --only network,clips --rounds 1

The baseline is the same network as the original runs it: eager float32 in batches of 128, every frame in memory, whole
frames converted, an intermediate file, then encoded again. It and each engine run in a process of their own, in turns,
timed from its start until its result is there; the table has the best of the rounds, and of memory the most. Ten
seconds show what starting costs, a minute shows what a frame costs. Weights are the golden ones, which
anybody can rebuild; they are a worst case for lower precision (the self-check refuses it on them), so precisions are
forced here and their distance is printed. Results of a whole run are kept in ``benchmarks/results`` and in
``docs/performance.md``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks import performance_page  # noqa: E402 - the project's folder comes first
from benchmarks.record import circumstances, keep_tables  # noqa: E402
from benchmarks.wav2lip_parts import jobs, media  # noqa: E402

GFLOP_PER_FRAME = 7.934
ENGINES = ("torch float32", "torch bfloat16", "openvino float32", "openvino bfloat16")
WAYS = (*ENGINES, "auto auto")
LENGTHS_SECONDS = (10, 60, 120)
MB = 1_000_000
PRESET = "veryfast"

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_runs: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
"""Of clips, by way, seconds and preset: what was run for one table counts for another."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--rounds", type=int, default=2, help="of ten seconds and of the network")
    parser.add_argument("--presets", default=PRESET, help="of x264, on both sides; with commas between")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS_SECONDS)), help="for memory, in tens of seconds")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        print(json.dumps(_measured(json.loads(chosen.job))), flush=True)
        return
    began = time.monotonic()
    tables: Tables = {}
    with tempfile.TemporaryDirectory() as name:
        media.write_weights(Path(name))
        for section in chosen.only.split(","):
            found = SECTIONS[section](Path(name), chosen)
            for title, rows in found.items():
                _show(title, rows)
            tables |= found
    if chosen.only == parser.get_default("only") and chosen.lengths == parser.get_default("lengths"):
        keep_tables("lipsync_wav2lip", tables, began, command="python benchmarks/lipsync_wav2lip.py")
        performance_page.write()
    print(f"\n{circumstances()}, {(time.monotonic() - began) / 60:.1f} minutes")


def _network(folder: Path, chosen: argparse.Namespace) -> Tables:
    """All cores, and every way in turns, so that what else the machine does hits all alike."""
    found = _job({"kind": "network", "folder": str(folder), "rounds": 2 * chosen.rounds})
    floors = {name: GFLOP_PER_FRAME / peak * 1000 for name, peak in found["peak_gflops"].items()}
    base = found["ways"]["baseline"]["ms_per_frame"]
    rows = []
    for name, way in found["ways"].items():
        floor = floors["bfloat16" if "bfloat16" in name else "float32"]
        faster, share = base / way["ms_per_frame"], floor / way["ms_per_frame"]
        rows.append({"way": name, **way, "times_as_fast": round(faster, 2), "share_of_floor": f"{share:.0%}"})
    return {
        "The network alone": rows,
        f"The floor: {GFLOP_PER_FRAME} GFLOP per frame over the measured matrix product": [
            {"precision": name, "gflop_per_second": peak, "ms_per_frame": round(floors[name], 2)}
            for name, peak in found["peak_gflops"].items()
        ],
    }


def _clips(folder: Path, chosen: argparse.Namespace) -> Tables:
    """Ten seconds and a minute of 720p25 with a fixed box, from the start of the process to the encoded file."""
    tables: Tables = {}
    for preset in chosen.presets.split(","):
        for seconds, rounds in ((10, chosen.rounds), (60, 1)):
            for _ in range(rounds):
                for way in ("baseline", *WAYS):
                    _clip(folder, way, seconds, preset)
            tables[f"{seconds} seconds of 720p25, x264 {preset}"] = _compared(seconds, preset)
    return tables


def _compared(seconds: int, preset: str) -> list[Row]:
    """Each way against the baseline, of the runs so far."""
    runs = {way: _runs[way, seconds, preset] for way in ("baseline", *WAYS)}
    best = {way: {key: min(run[key] for run in runs[way]) for key in ("wall_s", "cpu_s")} for way in runs}
    return [
        {
            "way": way,
            **row,
            "peak_mb": max(run["peak_mb"] for run in runs[way]),
            "times_as_fast": round(best["baseline"]["wall_s"] / row["wall_s"], 2),
            "times_less_cpu": round(best["baseline"]["cpu_s"] / row["cpu_s"], 2),
            "computed_with": runs[way][-1]["computed_with"],
        }
        for way, row in best.items()
    ]


def _memory(folder: Path, chosen: argparse.Namespace) -> Tables:
    lengths = [int(length) for length in chosen.lengths.split(",")]
    rows = []
    for way in WAYS:
        for seconds in lengths:
            if not _runs[way, seconds, PRESET]:
                _clip(folder, way, seconds, PRESET)
        peaks = {seconds: max(run["peak_mb"] for run in _runs[way, seconds, PRESET]) for seconds in lengths}
        by_length = {f"{seconds}_s": peak for seconds, peak in peaks.items()}
        rows.append({"way": way, **by_length, "growth": f"{peaks[lengths[-1]] / peaks[lengths[0]] - 1:+.1%}"})
    return {"The peak of the process's memory over the clip's length, MB (1 000 000 bytes)": rows}


def _faces(folder: Path, chosen: argparse.Namespace) -> Tables:
    return {"The same video again, with other voices": _job({"kind": "faces", "folder": str(folder)})}


def _gpu(folder: Path, chosen: argparse.Namespace) -> Tables:
    return {"On a GPU": _job({"kind": "on_gpu", "folder": str(folder)})}


SECTIONS = {"network": _network, "clips": _clips, "memory": _memory, "faces": _faces, "gpu": _gpu}


def _clip(folder: Path, way: str, seconds: int, preset: str) -> None:
    media.make_clip(folder, seconds)
    kind = "baseline" if way == "baseline" else "clip"
    order = {"kind": kind, "way": way, "folder": str(folder), "seconds": seconds, "preset": preset}
    _runs[way, seconds, preset].append(_job(order))


def _job(order: Row) -> Any:
    """Run an order in a process of its own; of those that are timed the start of the process is a part, not its end."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--job", json.dumps(order)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        told = [(line, time.perf_counter() - began) for line in process.stdout or ()]
        if process.wait():
            errors.seek(0)
            raise SystemExit(f"{order}\n{errors.read()}")
    last, wall_s = told[-1]
    found = json.loads(last)
    if "cpu_s" in found:
        found["wall_s"] = round(wall_s, 2)
    return found


def _measured(order: Row) -> Any:
    found = getattr(jobs, order["kind"])(order)
    if order["kind"] in {"baseline", "clip"}:
        used = resource.getrusage(resource.RUSAGE_SELF)
        found |= {"cpu_s": round(used.ru_utime + used.ru_stime, 2), "peak_mb": round(used.ru_maxrss * 1024 / MB)}
    return found


def _show(title: str, rows: list[Row]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    print(f"\n{title}")
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    os.chdir(PROJECT)
    main()
