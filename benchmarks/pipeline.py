"""How long does a production take, stage by stage, against the length of the voice; what does the platform add; and how
much memory does each process hold?

    python -m benchmarks.pipeline [--quick]

Cold is the first run of an empty home, warm the next one by a new process, with another voice of the same length.
Intake is a provider looking at what was uploaded; the overhead is the wall clock less intake and the four stages.
"""

import os
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.record import keep, make_project

STAGES = {"script": "script", "lipsync": "aligned_video", "video": "assembled_video", "qa": "qa_report"}
SIZES = ((512, 512), (1280, 720))
SECONDS = (15, 60, 240)
QUICK = (((512, 512), 15),)


def main() -> None:
    started = time.monotonic()
    cases = QUICK if "--quick" in sys.argv else tuple((size, seconds) for size in SIZES for seconds in SECONDS)
    keep("pipeline", [row for size, seconds in cases for row in _measured(size, seconds)], started)


def _measured(size: tuple[int, int], seconds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        face = _photo(project, size)
        return [_run(project, face, seconds, state, shift) for shift, state in enumerate(("cold", "warm"))]


def _run(project: Path, face: Path, seconds: int, state: str, shift: int) -> dict[str, Any]:
    voice, words = _voice(project, seconds, shift)
    command = [sys.executable, "-m", "sparkle_dagster.cli", "run", str(voice), "--face", str(face)]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--transcript", str(words)], cwd=project, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"the production failed; see {project}")
    width, height = Image.open(face).size
    row: dict[str, Any] = {"photo": f"{width}x{height}", "voice_seconds": seconds, "home": state}
    row |= {"wall_seconds": round(wall, 1), "real_time_factor": round(wall / seconds, 2)}
    records = _newest_records(project)
    attempts = {node: records[node]["attempts"][-1] for node in STAGES}
    took = {"intake": records["intake"]["latency_ms"]} | {node: item["latency_ms"] for node, item in attempts.items()}
    inside = sum(took.values()) / 1000
    for node, latency_ms in took.items():
        row[f"{node}_factor"] = round(latency_ms / 1000 / seconds, 3)
    row["overhead_seconds"] = round(wall - inside, 1)
    row["overhead_share"] = round((wall - inside) / wall, 3)
    row["platform_peak_mib"] = round(used.ru_maxrss / 1024)
    for node, attempt in attempts.items():
        row[f"{node}_peak_mib"] = round(attempt["usage"]["peak_memory_mb"])
    return row


def _newest_records(project: Path) -> dict[str, dict[str, Any]]:
    """How each stage of the newest production came to be."""
    from sparkle_dagster.artifacts.local import LocalArtifactStore

    store = LocalArtifactStore(project / ".sparkle/store")

    def record(asset: str, production: str) -> dict[str, Any]:
        found: dict[str, Any] = store.read(f"{asset}/{production}").document["record"]
        return found

    productions = [key.removeprefix("script/") for key in store.keys("script/")]
    newest = max(productions, key=lambda production: record("script", production)["started_at"])
    return {node: record(asset, newest) for node, asset in {"intake": "upload", **STAGES}.items()}


def _photo(project: Path, size: tuple[int, int]) -> Path:
    """The shipped face on a plain background."""
    width, height = size
    presenter = Image.open(project / "samples/presenter.png").convert("RGB").resize((min(size), min(size)))
    photo = Image.new("RGB", size, (90, 110, 130))
    photo.paste(presenter, ((width - min(size)) // 2, (height - min(size)) // 2))
    photo.save(project / "face.png")
    return project / "face.png"


def _voice(project: Path, seconds: int, shift: int) -> tuple[Path, Path]:
    """The shipped sentence as often as it fits, with pauses between, begun ``shift`` samples later; and its words."""
    with wave.open(str(project / "samples/voice.wav")) as sound:
        parameters, data = sound.getparams(), sound.readframes(sound.getnframes())
    frame_bytes = parameters.nchannels * parameters.sampwidth
    wanted_frames = seconds * parameters.framerate
    repeats = wanted_frames // parameters.nframes
    pause_frames = (wanted_frames - repeats * parameters.nframes - shift) // repeats
    target = project / f"voice_{shift}.wav"
    with wave.open(str(target), "wb") as sound:
        sound.setparams(parameters)
        said = bytes(shift * frame_bytes) + (data + bytes(pause_frames * frame_bytes)) * repeats
        sound.writeframes(said.ljust(wanted_frames * frame_bytes, b"\0"))
    words = target.with_suffix(".txt")
    text = (project / "samples/voice.txt").read_text().strip()
    words.write_text("\n".join([text] * repeats) + "\n")
    return target, words


if __name__ == "__main__":
    main()
