"""The inspection provider: facts and stored previews of any artifact."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.media import InspectionRequest, InspectionResult
from contracts.production import TaskRequest
from providers.media.pyav import PyAVInspectionProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.pytest_cases import ProviderCases
from tests.media import make_tone, make_video, tone, truncate

Put = Callable[[Path], ArtifactRef]


@pytest.mark.requirement("S1", "S12")
class TestPyAVInspection(ProviderCases):
    provider = PyAVInspectionProvider

    @pytest.fixture
    def good_request(self, put: Put, tmp_path: Path) -> TaskRequest:
        return InspectionRequest(artifact=put(make_video(tmp_path / "clip.mp4", audio=tone(1, 48_000))))

    @pytest.fixture
    def bad_requests(self, put: Put, tmp_path: Path, samples: Path) -> dict[str, TaskRequest]:
        whole = make_video(tmp_path / "whole.mp4", faststart=False)
        return {
            "no index": InspectionRequest(artifact=put(truncate(whole, tmp_path / "cut.mp4", 0.5))),
            "half a picture": InspectionRequest(
                artifact=put(truncate(samples / "presenter.png", tmp_path / "x.png", 0.5))
            ),
        }


@pytest.fixture
def inspect(put: Put, context: ProviderContext) -> Callable[..., InspectionResult]:
    provider = PyAVInspectionProvider(PyAVInspectionProvider.Options(), context)
    return lambda path, **options: provider.run(InspectionRequest(artifact=put(path), **options))


def test_video_gets_all_three_previews(inspect, store: LocalArtifactStore, tmp_path: Path) -> None:
    result = inspect(make_video(tmp_path / "x.mp4", audio=tone(1, 48_000)))
    assert result.info.kind == "video"
    assert {ref.media_type for ref in (result.poster, result.contact_sheet)} == {"image/jpeg"}
    assert result.waveform.media_type == "image/png"
    with store.open(result.waveform) as stream:
        assert stream.read(8) == b"\x89PNG\r\n\x1a\n"
    assert result.text is None


def test_sound_gets_a_waveform_alone(inspect, tmp_path: Path) -> None:
    result = inspect(make_tone(tmp_path / "x.wav"))
    assert result.info.kind == "audio"
    assert result.waveform is not None
    assert result.poster is result.contact_sheet is None


def test_picture_gets_a_poster_alone(inspect, samples: Path) -> None:
    result = inspect(samples / "presenter.png")
    assert result.info.kind == "image"
    assert result.poster is not None
    assert result.contact_sheet is result.waveform is None


def test_text_is_shown_by_its_beginning(inspect, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Größe " * 1000, encoding="utf-8")
    result = inspect(tmp_path / "x.txt")
    assert result.info.kind == "text"
    assert result.text == ("Größe " * 1000)[:2000]


def test_text_in_another_common_encoding_is_text(inspect, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Größe", encoding="utf-16")
    assert inspect(tmp_path / "x.txt").text == "Größe"


def test_unknown_bytes_are_data(inspect, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(bytes(range(256)))
    result = inspect(tmp_path / "x.txt")
    assert (result.info.kind, result.text) == ("data", None)


def test_previews_can_be_left_out(inspect, tmp_path: Path) -> None:
    result = inspect(make_video(tmp_path / "x.mp4", audio=tone(1, 48_000)), previews=False)
    assert result.info.video.frame_count == 25
    assert result.poster is result.contact_sheet is result.waveform is None


def test_public_module_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import providers.media.pyav, sys; sys.exit(bool({'av', 'numpy', 'PIL', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
