"""Batches, memory that runs out, and lower precision that has to prove itself."""

import numpy as np
import pytest
import torch
from torch import Tensor

from providers.lipsync import _wav2lip_engine as engines
from providers.lipsync._wav2lip_engine import Engine, psnr_db
from providers.lipsync._wav2lip_network import Generator, folded
from tests.providers.lipsync.golden_wav2lip import golden_generator, golden_weights
from tests.providers.lipsync.test_wav2lip_network import AS_THE_ORIGINAL, Floats, network_input


class Cramped(Generator):
    """Has memory for so many frames at once."""

    most = 4
    asked: list[int]

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        self.asked.append(len(mel))
        if len(mel) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(mel, face)


def network(kind: type[Generator] = Generator) -> Generator:
    with torch.device("meta"):
        generator = kind()
    generator.load_state_dict({key: value.clone() for key, value in golden_weights().items()}, assign=True)
    return folded(generator.eval())


def golden_input(copies: int = 1) -> tuple[Floats, Floats]:
    golden = golden_generator()
    faces = np.stack([network_input(frame) for frame in golden["frames_bgr_u8"]])
    return np.tile(golden["mel_windows"], (copies, 1, 1)), np.tile(faces, (copies, 1, 1, 1))


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_any_batch_size_gives_the_originals_faces(batch: int | None) -> None:
    found = Engine(network(), device="cpu", precision="float32", batch_size=batch).faces(*golden_input())
    assert np.abs(found - golden_generator()["output"]).max() < AS_THE_ORIGINAL


@pytest.mark.requirement("S46")
def test_memory_that_runs_out_halves_the_batch_and_is_told() -> None:
    cramped = network(Cramped)
    cramped.asked = []  # type: ignore[assignment]
    engine = Engine(cramped, device="cpu", precision="float32", batch_size=16)
    found = engine.faces(*golden_input(3))
    assert cramped.asked == [12, 8, 4, 4, 4]
    assert np.abs(found[4:8] - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    assert engine.frames_at_once == 4
    assert [note for note in engine.notes if "halved" in note] == [
        "Memory ran out, so the batch was halved to 8.",
        "Memory ran out, so the batch was halved to 4.",
    ]


def test_memory_for_not_even_one_frame_is_an_error() -> None:
    cramped = network(Cramped)
    cramped.asked, cramped.most = [], 0  # type: ignore[assignment]
    with pytest.raises(MemoryError, match="one frame"):
        Engine(cramped, device="cpu", precision="float32").faces(*golden_input())


def test_lower_precision_is_refused_on_weights_that_do_not_bear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda place: True)
    engine = Engine(network(), device="cpu")
    found = engine.faces(*golden_input())
    assert np.abs(found - golden_generator()["output"]).max() < AS_THE_ORIGINAL
    assert "bfloat16 was not used" in engine.notes[1]


def test_lower_precision_is_used_where_it_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda place: True)
    calm = network()
    with torch.no_grad():
        calm.output_block[1].weight *= 0.05  # type: ignore[operator]
    engine = Engine(calm, device="cpu")
    engine.faces(*golden_input())
    assert "in bfloat16" in engine.notes[0]
    assert "dB from float32" in engine.notes[0]


def test_lower_precision_is_not_tried_where_it_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_fast_bfloat16", lambda place: False)
    engine = Engine(network(), device="cpu")
    engine.faces(*golden_input())
    assert engine.notes == ("Computed with torch on cpu in float32.",)


def test_distance_is_in_decibels() -> None:
    assert psnr_db(np.full(4, 0.1, np.float32), np.zeros(4, np.float32)) == pytest.approx(20)
    assert psnr_db(np.zeros(4, np.float32), np.zeros(4, np.float32)) == 99
