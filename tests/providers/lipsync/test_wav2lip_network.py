"""The generator computes what the original computes, with and without its batch norms."""

import numpy as np
import pytest
import torch

from providers.lipsync._wav2lip_network import Generator, folded
from providers.lipsync._wav2lip_pictures import network_input
from tests.providers.lipsync.golden_wav2lip import Floats, golden_generator, golden_weights

AS_THE_ORIGINAL = 1e-4  # of the output's 0..1; rounding differs with the order of sums


def original_network() -> Generator:
    generator = Generator()
    generator.load_state_dict(golden_weights())
    return generator.eval()


def apart(generator: Generator) -> float:
    """Largest difference from the golden output."""
    golden = golden_generator()
    faces = np.stack([network_input(frame) for frame in golden["frames_bgr_u8"]])
    mel: Floats = golden["mel_windows"][:, None]
    with torch.inference_mode():
        output = generator(torch.from_numpy(mel), torch.from_numpy(faces))
    return float(np.abs(output.numpy() - golden["output"]).max())


@pytest.mark.requirement("S56")
def test_output_is_the_originals() -> None:
    assert apart(original_network()) < AS_THE_ORIGINAL


def test_output_stays_the_originals_without_batch_norms() -> None:
    generator = folded(original_network())
    assert not [part for part in generator.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert apart(generator) < AS_THE_ORIGINAL


def test_one_changed_weight_is_seen() -> None:
    generator = original_network()
    with torch.no_grad():
        generator.audio_encoder[3].conv_block[0].weight[0] *= 1.5  # type: ignore[index,union-attr]
    assert apart(generator) > 10 * AS_THE_ORIGINAL


def test_it_has_the_tensors_of_the_released_checkpoint() -> None:
    assert len(Generator().state_dict()) == 352
    assert sum(parameter.numel() for parameter in Generator().parameters()) == 36_298_035
