"""Where a review looks for the face: once per video, by the detector that the options name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.artifacts import Box
from contracts.context import ProviderContext
from contracts.errors import ProviderRejected
from contracts.faces import FaceOptions
from contracts.production import ProductionSpec
from contracts.qa import QAReviewRequest, QAReviewResult
from contracts.script import MouthCurve
from providers._media import face_detectors
from providers._media.faces import Face, Image, find_faces
from providers.qa.signal import SignalQAProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.providers.qa.conftest import PROFILE
from tests.providers.qa.films import SAMPLES_DIR, SIDE_PX, Film, portrait

Reviewed = Callable[..., QAReviewResult]


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The widths of the pictures that were searched for faces."""
    widths: list[int] = []

    def find(bgr: Image) -> list[Face]:
        widths.append(bgr.shape[1])
        return find_faces(bgr)

    monkeypatch.setattr(face_detectors, "find_faces", find)
    return widths


@pytest.fixture
def short(film: Film) -> Film:
    return film.cut_to(2.0)


@pytest.fixture
def reviewed(short: Film, store: LocalArtifactStore, context: ProviderContext, tmp_path: Path) -> Reviewed:
    def run(film: Film = short, long_side: int = 480, **faces: object) -> QAReviewResult:
        request = QAReviewRequest(
            video=store.put(film.write(tmp_path / "film.mp4"), "video/mp4"),
            audio_track=store.put(SAMPLES_DIR / "voice_short.wav", "audio/wav"),
            production=ProductionSpec(profile=PROFILE),
        )
        options = SignalQAProvider.Options(analysis_long_side=long_side, faces=FaceOptions(**faces))  # type: ignore[arg-type]
        return SignalQAProvider(options, context).run(request)

    return run


def checked(result: QAReviewResult, name: str) -> object:
    return next(check for check in result.checks if check.id == name).value


def test_a_second_review_of_a_video_searches_nothing_and_says_the_same(
    reviewed: Reviewed, searched: list[int], short: Film
) -> None:
    first = reviewed()
    assert len(searched) == 1, "then it is followed"
    assert reviewed() == first
    assert len(searched) == 1
    reviewed(short.cut_to(1.8))
    assert len(searched) == 2, "another video"


def test_another_size_or_choice_is_searched_anew(reviewed: Reviewed, searched: list[int]) -> None:
    reviewed()
    reviewed(long_side=200)
    assert searched == [SIDE_PX, 200]
    reviewed(choose="central")
    assert len(searched) == 3


def test_a_damaged_track_is_made_anew(reviewed: Reviewed, searched: list[int], store: LocalArtifactStore) -> None:
    first = reviewed()
    (kept,) = (path for path in store.root.rglob("*") if path.is_file() and b'"transforms"' in path.read_bytes()[:9000])
    kept.parent.chmod(0o700)
    kept.unlink()
    assert reviewed() == first
    assert len(searched) == 2


def test_a_placed_face_is_judged_where_it_was_placed(
    reviewed: Reviewed, searched: list[int], short: Film, store: LocalArtifactStore
) -> None:
    face = find_faces(portrait(SAMPLES_DIR / "presenter.png"))[0].box
    there = Box(x=face.x + 12, y=face.y + 12, width=round(0.76 * face.width), height=face.height)
    placed = reviewed(detector="box", box=there)
    assert searched == []
    assert checked(placed, "face_present") == 1.0
    assert placed.measured_mouth_curve is not None
    with store.open(placed.measured_mouth_curve) as stream:
        opening = MouthCurve.parse_json(stream.read()).opening
    assert np.corrcoef(opening, short.curve[: len(opening)])[0, 1] > 0.8
    with pytest.raises(ProviderRejected, match=f"inside the picture of {SIDE_PX}x{SIDE_PX}"):
        reviewed(detector="box", box=there.model_copy(update={"x": SIDE_PX}))
