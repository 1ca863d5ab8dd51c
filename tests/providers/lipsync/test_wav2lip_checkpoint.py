"""Weights from files: what is trusted, and what is refused before it can do harm."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from contracts.context import ModelFile
from contracts.errors import ProviderUnavailable
from providers.lipsync._wav2lip_checkpoint import load_generator
from providers.lipsync._wav2lip_weights import warm_weights
from tests.providers.lipsync.golden_wav2lip import golden_weights

Load = Callable[[Path], Any]


def model(path: Path, sha256: str | None = None) -> ModelFile:
    return ModelFile(path, sha256, "research-only")


def released(weights: dict[str, Tensor]) -> dict[str, Any]:
    """As the original's training writes it."""
    return {
        "state_dict": {f"module.{key}": value for key, value in weights.items()},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 1e-4}]},
        "global_step": 3,
        "global_epoch": 1,
    }


def same(found: dict[str, Tensor]) -> bool:
    return all(torch.equal(found[key], value) for key, value in golden_weights().items())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "as torch 1.1 wrote it"])
def test_released_layout_loads(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "wav2lip.pth"
    torch.save(released(golden_weights()), path, _use_new_zipfile_serialization=zipped)
    generator = load_generator(model(path, hashlib.sha256(path.read_bytes()).hexdigest()))
    assert same(generator.state_dict())
    assert not generator.training


def test_safetensors_and_half_precision_load(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save_file({key: value.contiguous() for key, value in golden_weights().items()}, path)
    assert same(load_generator(model(path)).state_dict())
    half = {key: value.half() if value.is_floating_point() else value for key, value in golden_weights().items()}
    save_file(half, path)
    assert load_generator(model(path)).state_dict()["output_block.1.weight"].dtype == torch.float32


def test_a_file_that_is_written_over_changes_no_loaded_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save_file({key: value.contiguous() for key, value in golden_weights().items()}, path)
    loaded = warm_weights(model(path)).generator.state_dict()
    before = {key: value.clone() for key, value in loaded.items()}
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert all(torch.equal(loaded[key], value) for key, value in before.items())


def test_batch_counters_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lean.pth"
    torch.save({key: value for key, value in golden_weights().items() if "num_batches" not in key}, path)
    assert same(load_generator(model(path)).state_dict())


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"nothing\.pth.*put it there"):
        load_generator(model(tmp_path / "nothing.pth"))


@pytest.mark.requirement("S26")
def test_another_file_than_the_registrys_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "wav2lip.pth"
    path.write_bytes(pickle.dumps(_Hostile(tmp_path / "harm")))
    with pytest.raises(ProviderUnavailable, match="SHA-256 0000"):
        load_generator(model(path, "0" * 64))
    assert not (tmp_path / "harm").exists()


class _Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, harm: Path) -> None:
        self.harm = harm

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.harm,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, zipped: bool) -> None:
    path, harm = tmp_path / "wav2lip.pth", tmp_path / "harm"
    content = {**released({"a": torch.zeros(1)}), "optimizer": _Hostile(harm)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ProviderUnavailable, match="would run code"):
        load_generator(model(path))
    assert not harm.exists()
    torch.load(path, weights_only=False)
    assert harm.exists(), "the checkpoint of this test is harmless, so it shows nothing"


def test_code_under_an_environment_that_allows_it_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path, harm = tmp_path / "wav2lip.pth", tmp_path / "harm"
    torch.save({"state_dict": _Hostile(harm)}, path)
    with pytest.raises(ProviderUnavailable):
        load_generator(model(path))
    assert not harm.exists()


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.999], ids=str)
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_file_is_said_to_be_damaged(tmp_path: Path, kept: float, kind: str) -> None:
    path = tmp_path / "wav2lip"
    weights = {key: value.contiguous() for key, value in golden_weights().items() if "audio_encoder" in key}
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save(released(weights), path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
    with pytest.raises(ProviderUnavailable, match="cannot be read"):
        load_generator(model(path))


@pytest.mark.parametrize(
    "content",
    [{"layer.weight": torch.zeros(3)}, [1, 2], {"state_dict": 3}, {}, torch.zeros(2), {3: torch.zeros(2)}],
    ids=["names", "a list", "no tensors", "empty", "a tensor", "numbers"],
)
def test_another_layout_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ProviderUnavailable, match="another layout"):
        load_generator(model(path))


def test_another_shape_and_a_value_that_is_no_number_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wav2lip.pth"
    torch.save({**golden_weights(), "output_block.1.weight": torch.zeros(3, 16, 1, 1)}, path)
    with pytest.raises(ProviderUnavailable, match=r"output_block\.1\.weight of shape \(3, 32, 1, 1\)"):
        load_generator(model(path))
    torch.save({**golden_weights(), "output_block.1.bias": torch.full((3,), float("nan"))}, path)
    with pytest.raises(ProviderUnavailable, match=r"output_block\.1\.bias"):
        load_generator(model(path))
