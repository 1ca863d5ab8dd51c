"""Batches, memory that runs out, and lower precision that has to prove itself."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.errors import ProviderUnavailable
from providers.lipsync import _wav2lip_engine as engines
from providers.lipsync._wav2lip_engine import Engine, EngineChoice, psnr_db
from providers.lipsync._wav2lip_network import EXACT_FROM_ROW, LOWER_FROM_ROW, WHOLE, Cuts, Generator
from providers.lipsync._wav2lip_packed import PackedGenerator, can_pack
from providers.lipsync._wav2lip_pictures import blended
from providers.lipsync._wav2lip_weights import Plan, Weights, weights_of
from tests.providers.lipsync.golden_wav2lip import golden_generator, golden_weights
from tests.providers.lipsync.test_wav2lip_network import AS_THE_ORIGINAL, Floats, network_input


class Cramped(Generator):
    """Has memory for so many frames at once."""

    most = 4
    asked: list[int]

    def forward(self, mel: Tensor, face: Tensor, cuts: Cuts = WHOLE) -> Tensor:
        self.asked.append(len(mel))
        if len(mel) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(mel, face, cuts)


def network(kind: type[Generator] = Generator, gain: float = 1.0) -> Weights:
    with torch.device("meta"):
        generator = kind()
    weights = {key: value.clone() for key, value in golden_weights().items()}
    weights["output_block.1.weight"] *= gain
    generator.load_state_dict(weights, assign=True)
    return weights_of(generator.eval())


@pytest.fixture
def modules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, or a CPU without oneDNN: torch computes with the network's own modules."""
    monkeypatch.setattr("providers.lipsync._wav2lip_torch.can_pack", lambda dtype: False)


def golden_input(copies: int = 1) -> tuple[Floats, Floats]:
    golden = golden_generator()
    faces = np.stack([network_input(frame) for frame in golden["frames_bgr_u8"]])
    return np.tile(golden["mel_windows"], (copies, 1, 1)), np.tile(faces, (copies, 1, 1, 1))


ENGINES = ["torch", "openvino"]
CALM = 0.05  # of the output's gain: weights that bear lower precision


@pytest.mark.requirement("S56")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_any_batch_size_gives_the_originals_faces(engine: Any, batch: int | None) -> None:
    choice = EngineChoice(engine, device="cpu", precision="float32", batch_size=batch)
    found = Engine(network(), choice).faces(*golden_input())
    assert np.abs(found - golden_generator()["output"]).max() < AS_THE_ORIGINAL


@pytest.mark.usefixtures("modules_only")
def test_plain_modules_give_the_originals_faces() -> None:
    found = Engine(network(), EngineChoice("torch", device="cpu", precision="float32")).faces(*golden_input())
    assert np.abs(found - golden_generator()["output"]).max() < AS_THE_ORIGINAL


@pytest.mark.parametrize("engine", [*ENGINES, "modules"])
def test_of_the_lower_face_alone_every_row_that_is_shown_is_the_originals(
    engine: Any, request: pytest.FixtureRequest
) -> None:
    if engine == "modules":
        request.getfixturevalue("modules_only")
    choice = EngineChoice("openvino" if engine == "openvino" else "torch", device="cpu", precision="float32")
    found = Engine(network(), choice, lower_only=True).faces(*golden_input())
    apart = np.abs(found - golden_generator()["output"]).max(axis=(0, 1, 3))  # by row
    assert apart[EXACT_FROM_ROW:].max() < AS_THE_ORIGINAL < apart[LOWER_FROM_ROW:EXACT_FROM_ROW].min()
    assert not found[:, :, :LOWER_FROM_ROW].any()


def test_rows_that_are_not_computed_are_never_shown() -> None:
    random = np.random.default_rng(1)
    for height in range(8, 400, 7):
        part = random.integers(0, 256, (height, 60, 3), np.uint8)
        face, other = random.random((2, 3, 96, 96), np.float32)
        other[:, EXACT_FROM_ROW:] = face[:, EXACT_FROM_ROW:]
        assert np.array_equal(blended(part, face), blended(part, other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_weights_laid_out_anew_compute_what_the_modules_do(dtype: torch.dtype) -> None:
    """In lower precision on weights that bear it, so that only rounding differs."""
    if not can_pack(dtype):
        pytest.skip("torch has no oneDNN kernels for it here")
    generator = network(gain=CALM).generator
    mel, faces = golden_input()
    inputs = [torch.from_numpy(rows).to(dtype) for rows in (mel[:, None], faces)]
    with torch.inference_mode():
        expected = generator.to(dtype)(*inputs).float()
        packed = PackedGenerator(generator.float(), dtype, 8)
        found = packed(*(rows.to(memory_format=torch.channels_last) for rows in inputs)).float()
    assert psnr_db(found.numpy(), expected.numpy()) > (90 if dtype == torch.float32 else 45)


@pytest.mark.parametrize("engine", ENGINES)
def test_several_threads_may_compute_at_once(engine: Any) -> None:
    used = Engine(network(), EngineChoice(engine, device="cpu", precision="float32", batch_size=4))
    mel, faces = golden_input()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: used.faces(np.roll(mel, turn, 0), np.roll(faces, turn, 0)), range(8)))
    for turn, output in enumerate(found):
        assert np.abs(np.roll(output, -turn, 0) - golden_generator()["output"]).max() < AS_THE_ORIGINAL


@pytest.mark.system  # a C++ compiler, and half a minute of it
def test_a_compiled_network_gives_the_originals_faces() -> None:
    choice = EngineChoice("torch", device="cpu", precision="float32", batch_size=4, compile_from_frames=100)
    short, long = (Engine(network(), choice, frame_count) for frame_count in (99, 100))
    for engine in (short, long):
        assert np.abs(engine.faces(*golden_input()) - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    tried = [[plan.compiled for plan in next(iter(engine.weights.quickest))] for engine in (short, long)]
    assert tried == [[False], [False, True]]


@pytest.mark.parametrize("quicker", ENGINES)
def test_of_two_engines_the_quicker_one_is_used(monkeypatch: pytest.MonkeyPatch, quicker: str) -> None:
    asked: list[str] = []

    def seconds(engine: Engine, plan: Plan, *_: object) -> float:
        asked.append(plan.engine)
        return float(plan.engine != quicker)

    monkeypatch.setattr(Engine, "_seconds", seconds)
    weights = network()
    for _ in range(2):
        engine = Engine(weights, EngineChoice(device="cpu", precision="float32"))
        engine.faces(*golden_input())
        assert engine.notes == (f"Computed with {quicker} on cpu in float32.",)
    assert asked == ["torch", "openvino"], "it is measured once while the weights stay"


def test_while_engines_are_tried_one_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made, dropped = Weights._make, Weights.drop
    held: set[Plan] = set()
    most: list[int] = []

    def make(weights: Weights, plan: Plan) -> Any:
        held.add(plan)
        most.append(len(held))
        return made(weights, plan)

    def drop(weights: Weights, plan: Plan) -> None:
        held.discard(plan)
        dropped(weights, plan)

    monkeypatch.setattr(Weights, "_make", make)
    monkeypatch.setattr(Weights, "drop", drop)
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda device: True)
    Engine(network(), EngineChoice(device="cpu")).faces(*golden_input())
    assert len(most) >= 4, "two engines in two precisions"
    assert set(most) == {1}


@pytest.mark.requirement("S46")
@pytest.mark.usefixtures("modules_only")
def test_memory_that_runs_out_halves_the_batch_and_is_told() -> None:
    cramped = network(Cramped)
    cramped.generator.asked = []  # type: ignore[assignment]
    engine = Engine(cramped, EngineChoice("torch", device="cpu", precision="float32", batch_size=16))
    found = engine.faces(*golden_input(3))
    assert cramped.generator.asked == [12, 8, 4, 4, 4]
    assert np.abs(found[4:8] - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    assert engine.frames_at_once == 4
    assert [note for note in engine.notes if "halved" in note] == [
        "Memory ran out, so the batch was halved to 8.",
        "Memory ran out, so the batch was halved to 4.",
    ]


def test_an_engine_that_does_not_run_here_is_told_and_another_one_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Weights._make

    def make(weights: Weights, plan: Plan) -> Any:
        if plan.engine == "openvino":
            raise RuntimeError("no such device\nand much more")
        return made(weights, plan)

    monkeypatch.setattr(Weights, "_make", make)
    engine = Engine(network(), EngineChoice(device="cpu", precision="float32"))
    assert np.abs(engine.faces(*golden_input()) - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    assert engine.notes == (
        "Computed with torch on cpu in float32.",
        "openvino on cpu in float32 cannot be used here: no such device and much more.",
    )
    with pytest.raises(ProviderUnavailable, match="no such device"):
        Engine(network(), EngineChoice("openvino", device="cpu")).faces(*golden_input())


@pytest.mark.usefixtures("modules_only")
def test_memory_that_runs_out_while_the_precision_is_checked_halves_the_batch_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda device: True)
    cramped = network(Cramped, gain=CALM)
    cramped.generator.asked, cramped.generator.most = [], 2  # type: ignore[assignment]
    engine = Engine(cramped, EngineChoice("torch", device="cpu", batch_size=8))
    assert len(engine.faces(*golden_input())) == 4
    assert engine.frames_at_once == 2
    assert engine.notes[-1] == "Memory ran out, so the batch was halved to 2."


@pytest.mark.usefixtures("modules_only")
def test_memory_for_not_even_one_frame_is_an_error() -> None:
    cramped = network(Cramped)
    cramped.generator.asked, cramped.generator.most = [], 0  # type: ignore[assignment]
    with pytest.raises(MemoryError, match="one frame"):
        Engine(cramped, EngineChoice("torch", device="cpu", precision="float32")).faces(*golden_input())


@pytest.mark.parametrize("name", ENGINES)
def test_lower_precision_is_refused_on_weights_that_do_not_bear_it(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda device: True)
    engine = Engine(network(), EngineChoice(name, device="cpu"))
    found = engine.faces(*golden_input())
    assert np.abs(found - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    assert engine.notes[0] == f"Computed with {name} on cpu in float32."
    if name == "torch" or _rounds_to_bfloat16():
        assert "bfloat16 was not used" in engine.notes[1]


def _rounds_to_bfloat16() -> bool:
    """OpenVINO keeps float32 where the CPU has no units for less."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_lower_precision_is_used_where_it_agrees_or_is_asked_for(
    name: Any, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda device: True)
    engine = Engine(network(gain=CALM), EngineChoice(name, device="cpu", precision=precision))
    engine.faces(*golden_input())
    assert "in bfloat16" in engine.notes[0]
    assert "dB from float32" in engine.notes[0]


def test_lower_precision_is_not_tried_where_it_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda device: False)
    engine = Engine(network(gain=CALM), EngineChoice("torch", device="cpu"))
    engine.faces(*golden_input())
    assert engine.notes == ("Computed with torch on cpu in float32.",)


def test_distance_is_in_decibels() -> None:
    assert psnr_db(np.full(4, 0.1, np.float32), np.zeros(4, np.float32)) == pytest.approx(20)
    assert psnr_db(np.zeros(4, np.float32), np.zeros(4, np.float32)) == 99


def test_openvino_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    """Its package for telemetry would open a connection and leave files in the home."""
    program = (
        "import socket, sys\n"
        "def refuse(*arguments): sys.exit(f'asked for {arguments[1:]}')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import providers.lipsync._wav2lip_openvino\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, []), done.stderr
