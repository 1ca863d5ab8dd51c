"""A photo and a voice become a person who speaks."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import Box, Span
from contracts.base import Fidelity
from contracts.context import ArtifactClient
from contracts.errors import ProviderRejected
from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.script import MouthCurve, ScriptResult
from providers._media.faces import find_faces
from tests.providers.lipsync import makers
from tests.providers.lipsync.makers import decoded, gap_seen, noise, portrait, write_picture

Ask = Callable[..., LipSyncRequest]
Animate = Callable[..., LipSyncResult]
MOVED_AS_TOLD = 0.85  # correlation; an unrelated mouth stays below 0.5


@pytest.fixture
def photo(samples: Path, tmp_path: Path) -> Path:
    return write_picture(tmp_path / "face.png", portrait(samples, 480))


def curve_of(result: LipSyncResult, store: ArtifactClient) -> MouthCurve:
    assert result.mouth_curve is not None
    with store.open(result.mouth_curve) as stream:
        return MouthCurve.parse_json(stream.read())


def test_the_mouth_moves_as_told(ask: Ask, animate: Animate, photo: Path, store: ArtifactClient) -> None:
    result = animate(ask(photo))
    frames = decoded(store.fetch(result.aligned_video))
    curve = curve_of(result, store)
    seen = np.array([gap_seen(frame) for frame in frames])
    assert len(frames) == len(curve.opening) == result.metrics.frame_count == result.metrics.animated_frame_count == 40
    assert np.corrcoef(seen, curve.opening)[0, 1] >= MOVED_AS_TOLD
    assert curve.rate_hz == 25
    assert curve.origin == "aligned"
    assert min(curve.opening) == 0
    assert max(curve.opening) > 0.5
    assert result.fidelity is Fidelity.REAL
    assert result.untouched == ()


def test_only_the_mouth_changes(ask: Ask, animate: Animate, photo: Path, samples: Path, store: ArtifactClient) -> None:
    frames = decoded(store.fetch(animate(ask(photo)).aligned_video))
    still = portrait(samples, 480).astype(int)
    for frame in frames[::6]:
        away = np.abs(frame.astype(int) - still)
        away[170:310, 140:310] = 0
        assert away.mean() < 2.5, "outside the lower face only the encoder may differ"


@pytest.mark.parametrize(("seconds", "fps", "count"), [(0.02, 25.0, 1), (0.5, 30.0, 15), (0.41, 24.0, 10)])
def test_length_is_the_sounds(
    ask: Ask,
    animate: Animate,
    photo: Path,
    put: Callable[[Path], object],
    tmp_path: Path,
    store: ArtifactClient,
    seconds: float,
    fps: float,
    count: int,
) -> None:
    sound = makers.write_voice(tmp_path / "short.wav", seconds)
    production = ProductionSpec(profile=DeliveryProfile(fps=fps))
    result = animate(ask(photo, audio_track=put(sound), production=production))
    assert len(decoded(store.fetch(result.aligned_video))) == count
    assert result.metrics.fps == fps


def test_size_is_at_most_the_profiles(ask: Ask, animate: Animate, photo: Path, store: ArtifactClient) -> None:
    production = ProductionSpec(profile=DeliveryProfile(max_long_side=360))
    result = animate(ask(photo, production=production))
    assert decoded(store.fetch(result.aligned_video))[0].shape == (360, 360, 3)


def test_without_phones_the_sound_drives_the_mouth(
    ask: Ask, animate: Animate, photo: Path, store: ArtifactClient
) -> None:
    for script in (None, ScriptResult()):
        curve = curve_of(animate(ask(photo, script=script)), store)
        assert curve.origin == "features"
        assert max(curve.opening) > 0.4


def test_without_phones_the_scripts_curve_drives_the_mouth(
    ask: Ask, animate: Animate, photo: Path, store: ArtifactClient, tmp_path: Path
) -> None:
    opening = [0.0] * 20 + [0.9] * 10 + [0.0] * 10
    path = tmp_path / "curve.json"
    path.write_text(MouthCurve(rate_hz=25, opening=tuple(opening)).model_dump_json())
    script = ScriptResult(mouth_curve=store.put(path, "application/json"))
    curve = curve_of(animate(ask(photo, script=script)), store)
    assert np.corrcoef(curve.opening, opening)[0, 1] > 0.9


@pytest.mark.requirement("S21")
def test_only_the_asked_stretches_are_animated(
    ask: Ask, animate: Animate, photo: Path, samples: Path, store: ArtifactClient
) -> None:
    result = animate(ask(photo, segments=(Span(start_seconds=0.4, end_seconds_exclusive=1.2),)))
    assert [(span.start_frame, span.end_frame_exclusive) for span in result.untouched] == [(0, 10), (30, 40)]
    assert result.metrics.animated_frame_count == 20
    assert result.fidelity is Fidelity.REAL, "what was not asked for is not missing"
    frames = decoded(store.fetch(result.aligned_video))
    still = gap_seen(portrait(samples, 480))
    assert gap_seen(frames[2]) == pytest.approx(still, abs=5)
    assert gap_seen(frames[14]) < still - 8, "the closure for M"


def test_a_picture_without_a_face_is_handed_on(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    request = ask(write_picture(tmp_path / "nobody.png", noise(portrait(samples, 320))))
    result = animate(request)
    assert result.aligned_video == request.video_stub
    assert result.audio_track == request.audio_track
    assert result.fidelity is Fidelity.PASSTHROUGH
    assert result.mouth_curve is None
    assert "no face" in result.notes[0]


def test_a_mouth_that_is_not_understood_is_left_alone(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path
) -> None:
    gray = portrait(samples, 480).mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    request = ask(write_picture(tmp_path / "gray.png", gray))
    result = animate(request)
    assert result.aligned_video == request.video_stub
    assert result.fidelity is Fidelity.PASSTHROUGH
    assert "teeth" in result.notes[0]


def test_a_missing_face_can_be_a_failure(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    nobody = write_picture(tmp_path / "nobody.png", noise(portrait(samples, 320)))
    with pytest.raises(ProviderRejected, match="no face"):
        animate(ask(nobody, no_face_policy="fail"))


def test_a_speaker_that_is_not_there_is_told(ask: Ask, animate: Animate, photo: Path) -> None:
    assert "1 seen" in animate(ask(photo, speaker=3)).notes[0]


def test_the_asked_speaker_moves(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    pair = np.hstack([portrait(samples, 320), portrait(samples, 320)])
    result = animate(ask(write_picture(tmp_path / "pair.png", pair), speaker=1))
    frames = decoded(store.fetch(result.aligned_video))
    motion = np.std([frame.astype(float) for frame in frames], axis=0).mean(axis=2)
    assert motion[:, 320:].max() > 20
    assert motion[:, :320].max() < 6


def test_the_most_central_face_or_a_placed_one_moves(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    """The face on the left is the larger one."""
    large, small = portrait(samples, 320), portrait(samples, 240)
    pair = np.hstack([large, cv2.copyMakeBorder(small, 0, 80, 0, 240, cv2.BORDER_REPLICATE)]).astype(np.uint8)
    around = find_faces(small)[0].box
    placed = Box(x=320 + around.x + 12, y=around.y + 12, width=round(0.76 * around.width), height=around.height)
    picture = write_picture(tmp_path / "pair.png", pair)

    def moves(**faces: object) -> tuple[bool, bool]:
        result = animate(ask(picture), faces=FaceOptions(**faces))  # type: ignore[arg-type]
        motion = np.std([frame.astype(float) for frame in decoded(store.fetch(result.aligned_video))], axis=0)
        left, right = motion[:, :320].max(), motion[:, 320:].max()
        return bool(left > 20), bool(right > 20)

    assert moves() == (True, False)
    assert moves(choose="central") == (False, True)
    assert moves(detector="box", box=placed) == (False, True)
