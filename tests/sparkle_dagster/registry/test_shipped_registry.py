"""The shipped file with the shipped providers, on real media."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.base import Fidelity
from contracts.errors import ProviderFailed, ProviderRejected
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.sparkle_dagster.registry.conftest import SMALL, WriteProject

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
PROJECT = Path(__file__).parents[3]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProviderRegistry:
    monkeypatch.setenv("SPARKLE_HOME", str(tmp_path / "state"))
    return ProviderRegistry.from_config(PROJECT / "configs/tool_registry.yaml")


def test_every_capability_has_a_provider_that_can_run_and_a_no_op(shipped: ProviderRegistry) -> None:
    for report in shipped.describe():
        assert report.selected is not None, report
        if report.capability != "media":
            assert [found.name for found in shipped.candidates(report.capability, enabled=False)] == ["noop"]


def test_shipped_no_op_hands_on_the_face_with_what_is_known_of_it(
    shipped: ProviderRegistry, request_of: RequestOf
) -> None:
    request = request_of(shipped)
    face = request.video_stub.model_copy(update={"media": shipped.inspect(request.video_stub).info})
    request = request.model_copy(update={"video_stub": face})
    result = shipped.resolve("lipsync", enabled=False).run(request)
    assert result.aligned_video == face
    assert result.aligned_video.media.video.width == 720
    assert result.fidelity is Fidelity.PASSTHROUGH


def test_shipped_inspection_finds_facts_and_makes_previews(shipped: ProviderRegistry, samples: Path) -> None:
    inspection = shipped.inspect(shipped.store().put(samples / "voice_short.wav", "audio/wav"))
    assert inspection.info.audio is not None
    assert inspection.info.audio.sample_count == 84_800
    assert inspection.waveform is not None


def test_shipped_inspection_rejects_what_is_cut_off(shipped: ProviderRegistry, samples: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes((samples / "presenter.png").read_bytes()[:2000])
    with pytest.raises(ProviderRejected):
        shipped.inspect(shipped.store().put(cut, "image/png"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("media_type: video/mp4, text: this is no film", "says video/mp4"),
        ("media_type: image/png", "says image/png, decoding it found audio"),
    ],
)
def test_shipped_inspection_refuses_an_output_that_lies(
    write_project: WriteProject, request_of: RequestOf, entry: str, said: str
) -> None:
    project = write_project(f"it: {{use: Writes, {entry}}}", lipsync="{providers: [it]}")
    path = project / "configs/tool_registry.yaml"
    text = path.read_text().replace("providers: [wave]", "providers: [pyav]")
    path.write_text(text.replace(f'    wave: {{use: "{SMALL}:WaveInspector"}}', "    pyav: {}"))
    registry = ProviderRegistry.from_config(path)
    with pytest.raises(ProviderFailed, match=said):
        registry.resolve("lipsync").run(request_of(registry))


def test_without_weights_the_mouth_is_warped_and_the_reason_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKLE_MODELS", str(tmp_path / "no_weights"))
    registry = ProviderRegistry.from_config(PROJECT / "configs/tool_registry.yaml")
    (report,) = (report for report in registry.describe() if report.capability == "lipsync")
    found = {provider.name: provider for provider in report.providers}
    assert report.selected == "mouth_warp"
    assert found["wav2lip"].state == "unavailable"
    assert found["wav2lip"].lane == "gpu"
    assert found["wav2lip"].licence == "research-only"
    assert registry.lane_of("lipsync") == "cpu"


def test_with_weights_lip_sync_moves_to_the_gpu_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    (tmp_path / "wav2lip.pth").write_bytes(b"not read before it runs")
    monkeypatch.setenv("SPARKLE_MODELS", str(tmp_path))
    registry = ProviderRegistry.from_config(PROJECT / "configs/tool_registry.yaml")
    assert registry.lane_of("lipsync") == "gpu"
