"""A film without defects, painted once, and a way to have any film reviewed."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.qa import QACheck, QAReviewRequest, QAReviewResult
from contracts.script import MouthCurve
from providers.qa.signal import SignalQAProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.providers.qa.films import FPS, SAMPLES_DIR, Film, talking

PROFILE = DeliveryProfile(loudness_lufs=-21)  # about what the painted films measure


@pytest.fixture(scope="session")
def film() -> Film:
    return talking(SAMPLES_DIR / "presenter.png", SAMPLES_DIR / "voice_short.wav")


@pytest.fixture(scope="session")
def long_film() -> Film:
    """7.1 s, enough speech for every check."""
    return talking(SAMPLES_DIR / "presenter.png", SAMPLES_DIR / "voice.wav")


class Review(Protocol):
    def __call__(self, film: Film | Path, **request: Any) -> "Report": ...


class Report:
    """A result, with its checks by id."""

    def __init__(self, result: QAReviewResult) -> None:
        self.result = result
        self.checks: dict[str, QACheck] = {check.id: check for check in result.checks}

    def with_status(self, *statuses: str) -> set[str]:
        return {check.id for check in self.result.checks if check.status in statuses}

    @property
    def found(self) -> set[str]:
        """Ids of what did not pass."""
        return self.with_status("warn", "fail")


@pytest.fixture
def curve_of(store: LocalArtifactStore) -> Callable[[Film], ArtifactRef]:
    def put_curve(film: Film) -> ArtifactRef:
        curve = MouthCurve(rate_hz=FPS, opening=tuple(float(value) for value in film.curve), origin="aligned")
        return store.put(io.BytesIO(curve.model_dump_json().encode()), "application/json")

    return put_curve


@pytest.fixture
def review(
    film: Film,
    store: LocalArtifactStore,
    context: ProviderContext,
    curve_of: Callable[[Film], ArtifactRef],
    tmp_path: Path,
) -> Review:
    """Review a film, or a file as it is, against ``voice_short.wav`` and the film's curve; keywords replace fields."""

    def run(planted: Film | Path, **request: Any) -> Report:
        path = planted if isinstance(planted, Path) else planted.write(tmp_path / "film.mp4")
        fields: dict[str, Any] = {
            "video": store.put(path, "video/mp4"),
            "audio_track": store.put(SAMPLES_DIR / "voice_short.wav", "audio/wav"),
            "mouth_curve": curve_of(film),
            "production": ProductionSpec(profile=PROFILE),
        }
        return Report(SignalQAProvider(SignalQAProvider.Options(), context).run(QAReviewRequest(**fields | request)))

    return run
