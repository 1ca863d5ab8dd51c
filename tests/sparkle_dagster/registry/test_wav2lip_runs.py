"""Wav2Lip as the shipped registry runs it, in a process of its own: chosen by one line, passed over in words."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.base import Fidelity
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.attempts import Outcome
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.conftest import PROJECT
from tests.providers.lipsync.makers import portrait, write_picture, write_voice

Registry = Callable[..., ProviderRegistry]
WEIGHTS = "wav2lip.pth"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the released layout: a prefix, an optimizer, counters."""
    torch = pytest.importorskip("torch")
    from tests.providers.lipsync.golden_wav2lip import golden_weights

    path = tmp_path_factory.mktemp("models") / WEIGHTS
    state = {f"module.{key}": value for key, value in golden_weights().items()}
    torch.save({"state_dict": state, "optimizer": {}, "global_step": 7, "global_epoch": 1}, path)
    return path


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The shipped one, with models in a folder."""
    made: list[ProviderRegistry] = []

    def make(models: Path) -> ProviderRegistry:
        monkeypatch.setenv("SPARKLE_MODELS", str(models))
        monkeypatch.setenv("SPARKLE_HOME", str(tmp_path / "state"))
        made.append(ProviderRegistry.from_config(PROJECT / "configs/tool_registry.yaml"))
        return made[-1]

    yield make
    for one in made:
        assert one.residents.end(60) == []


def ran(registry: ProviderRegistry, samples: Path, folder: Path, provider: str | None = None) -> Outcome:
    store = registry.store()
    face = write_picture(folder / "face.png", portrait(samples, 256))
    request = LipSyncRequest(
        audio_track=store.put(write_voice(folder / "voice.wav", 0.4), "audio/wav"),
        video_stub=store.put(face, "image/png"),
    )
    return registry.resolve("lipsync", provider=provider).run_with_outcome(request)


@pytest.mark.requirement("S26", "S56")
def test_with_weights_in_place_the_first_on_the_list_runs(
    registry: Registry, weights: Path, samples: Path, tmp_path: Path
) -> None:
    outcome = ran(registry(weights.parent), samples, tmp_path)
    assert outcome.provider == "wav2lip"
    result = outcome.result
    assert result.fidelity is Fidelity.REAL
    assert result.aligned_video.metadata["weights"]["licence"] == "research-only"
    assert result.aligned_video.media.video.frame_count == 10


def test_weights_that_turn_out_to_be_broken_hand_over_to_the_warped_mouth(
    registry: Registry, weights: Path, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / WEIGHTS).write_bytes(weights.read_bytes()[:100_000])
    outcome = ran(registry(tmp_path / "models"), samples, tmp_path)
    assert outcome.provider == "mouth_warp"
    passed_over = next(candidate for candidate in outcome.trace if candidate.provider == "wav2lip")
    assert "expected whole weights" in passed_over.reason


@pytest.mark.requirement("S31")
def test_a_second_production_loads_no_weights(registry: Registry, weights: Path, samples: Path, tmp_path: Path) -> None:
    """After the first run the file is no network any more, though it looks the same from outside."""
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / WEIGHTS
    shutil.copy(weights, file)
    warm = registry(tmp_path / "models")
    first = ran(warm, samples, tmp_path)
    facts = file.stat()
    file.write_bytes(bytes(facts.st_size))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    second = ran(warm, samples, tmp_path)
    assert second.provider == "wav2lip"
    assert second.result.aligned_video.checksum == first.result.aligned_video.checksum
    os.utime(file)
    assert ran(warm, samples, tmp_path).provider == "mouth_warp", "a file that changed is read again"
