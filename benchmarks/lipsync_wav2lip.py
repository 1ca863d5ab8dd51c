"""Wav2Lip against a plain baseline: generator, whole clips, memory, detection; and how far the machine's floor is.

    python benchmarks/lipsync_wav2lip.py              # about ten minutes on two quiet cores
    python benchmarks/lipsync_wav2lip.py --full       # float32 and the slower encoder preset over long clips too
    python benchmarks/lipsync_wav2lip.py --only generator,clips

The baseline is the same network as the original runs it: eager float32 in batches of 128, every frame in memory, whole
frames converted, an intermediate file, then encoded again. It and each engine run in a process of their own, in turns;
the table has the best of the rounds. Weights are the golden ones, which anybody can rebuild; they are a worst case for
lower precision (the self-check refuses it on them), so precisions are forced here and their distance is printed.
Results are kept as ``benchmarks/results/lipsync_wav2lip.json`` with machine, commit and date.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.wav2lip_parts import jobs, media  # noqa: E402 - the project's folder comes first

SECTIONS = ("generator", "clips", "memory", "detection", "gpu")
GFLOP_PER_FRAME = 7.934
ENGINES = ("torch float32", "torch bfloat16", "openvino float32", "openvino bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="long clips in float32 and with the preset medium too")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        print(json.dumps(_measured(json.loads(chosen.job))))
        return
    began = time.perf_counter()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media.write_weights(folder)
        for section in chosen.only.split(","):
            print(f"\n== {section}", flush=True)
            found[section] = globals()[f"_{section}"](folder, chosen)
    found |= _circumstances() | {"took_minutes": round((time.perf_counter() - began) / 60, 1)}
    if chosen.only == ",".join(SECTIONS):
        target = PROJECT / "benchmarks/results/lipsync_wav2lip.json"
        target.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{found['machine']}, {found['commit']}, {found['date']}, {found['took_minutes']} minutes")


def _generator(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds per frame of the network alone, all cores; PSNR against float32; share of the floor."""
    found = _job({"kind": "generator", "folder": str(folder), "rounds": 2 * chosen.rounds})
    peaks = found["peak_gflops"]
    base = found["ways"]["baseline"]["ms"]
    print(f"{'':<20}{'ms/frame':>10}{'CPU ms':>9}{'faster':>9}{'PSNR dB':>9}{'of the floor':>14}")
    for name, way in found["ways"].items():
        floor = GFLOP_PER_FRAME / peaks["bfloat16" if "bfloat16" in name else "float32"] * 1000
        way |= {"faster": round(base / way["ms"], 2), "share_of_floor": round(floor / way["ms"], 2)}
        print(
            f"{name:<20}{way['ms']:>10.1f}{way['cpu_ms']:>9.1f}{way['faster']:>8.2f}x{way['psnr_db']:>9.1f}"
            f"{way['share_of_floor']:>13.0%}"
        )
    print(f"floor: {GFLOP_PER_FRAME} GFLOP per frame over the measured matmul peak, {peaks} GFLOP/s")
    return found


def _clips(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Ten seconds of 720p25 with a fixed box, from decoding to the encoded file; the start of the process counts."""
    found: dict[str, Any] = {}
    for preset in ("veryfast", "medium") if chosen.full else ("veryfast",):
        ways = ["baseline", *ENGINES, "auto auto"]
        rows: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(chosen.rounds):
            for way in ways:
                rows[way].append(_clip(folder, way, 10, preset))
        found[preset] = _table(rows, "baseline", f"x264 {preset}")
    return found


def _memory(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """The peak of a process over clips of three lengths."""
    found: dict[str, Any] = {}
    ways = ENGINES if chosen.full else ("torch bfloat16", "openvino bfloat16")
    print(f"{'':<20}{'10 s':>9}{'60 s':>9}{'120 s':>9}  MB, growth")
    for way in ways:
        peaks = [_clip(folder, way, seconds, "veryfast")["peak_mb"] for seconds in (10, 60, 120)]
        found[way] = {"peak_mb": peaks, "growth": round(peaks[-1] / peaks[0] - 1, 3)}
        print(f"{way:<20}" + "".join(f"{peak:>9.0f}" for peak in peaks) + f"  {found[way]['growth']:+.1%}", flush=True)
    return found


def _detection(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """The same video twice with other sound, one store: the second run finds the first one's face track."""
    found = _job({"kind": "detection", "folder": str(folder)})
    for name, row in found.items():
        print(f"{name:<34}{row}")
    return found


def _gpu(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """On a CUDA device, where there is one."""
    found = _job({"kind": "on_gpu", "folder": str(folder)})
    for name, row in found.items():
        print(f"{name:<34}{row}")
    return found


def _clip(folder: Path, way: str, seconds: int, preset: str) -> dict[str, Any]:
    kind = "baseline" if way == "baseline" else "clip"
    order = {"kind": kind, "way": way, "folder": str(folder), "seconds": seconds, "preset": preset}
    media.make_clip(folder, seconds)
    return _job(order)


def _table(rows: dict[str, list[dict[str, Any]]], base: str, title: str) -> dict[str, Any]:
    keys = ("wall", "cpu", "peak_mb")
    best: dict[str, dict[str, Any]] = {way: {key: min(run[key] for run in rows[way]) for key in keys} for way in rows}
    print(f"{title:<20}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'wall':>8}{'CPU':>8}")
    for way, row in best.items():
        faster, less_cpu = (round(best[base][key] / row[key], 2) for key in ("wall", "cpu"))
        numbers = f"{row['wall']:>9.1f}{row['cpu']:>9.1f}{row['peak_mb']:>9.0f}{faster:>7.2f}x{less_cpu:>7.2f}x"
        print(f"{way:<20}{numbers}", flush=True)
        row |= {"faster": faster, "less_cpu": less_cpu, "notes": rows[way][-1]["notes"]}
    return best


def _job(order: dict[str, Any]) -> Any:
    """Run an order in a process of its own."""
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, __file__, "--job", json.dumps(order)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"{order}\n{ran.stderr}")
    found = json.loads(ran.stdout.splitlines()[-1])
    if "cpu" in found:
        found["wall"] = time.perf_counter() - began  # with the start of the process
    return found


def _measured(order: dict[str, Any]) -> Any:
    found = getattr(jobs, order["kind"])(order)
    if order["kind"] in {"baseline", "clip"}:
        used = resource.getrusage(resource.RUSAGE_SELF)
        found |= {"cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}
    return found


def _circumstances() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "")
    units = " ".join(name for name in ("avx512_bf16", "amx_bf16") if name in flags.split()) or "no bf16 units"
    return {
        "machine": f"{cpu}, {os.cpu_count()} cores, {units}",
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
    }


if __name__ == "__main__":
    main()
