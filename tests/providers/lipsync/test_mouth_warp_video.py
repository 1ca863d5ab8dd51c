"""A video and a voice: the head moves as filmed, the mouth as told."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import Box
from contracts.base import Fidelity
from contracts.context import ArtifactClient
from contracts.errors import ProviderRejected
from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.script import MouthCurve
from providers._media.faces import find_faces
from tests.providers.lipsync.makers import (
    MOUTH_IN_PORTRAIT,
    decoded,
    gap_seen,
    noise,
    portrait,
    sway,
    swaying,
    write_film,
)

Ask = Callable[..., LipSyncRequest]
Animate = Callable[..., LipSyncResult]
SIDE_PX = 384
MOVED_AS_TOLD = 0.8


@pytest.fixture
def film(samples: Path, tmp_path: Path) -> Path:
    """Half as long as the sound: 20 frames, so it goes forth and back."""
    return write_film(tmp_path / "film.mp4", swaying(portrait(samples, SIDE_PX), 20))


def test_the_mouth_moves_as_told_while_the_head_sways(
    ask: Ask, animate: Animate, film: Path, samples: Path, store: ArtifactClient
) -> None:
    result = animate(ask(film))
    frames = decoded(store.fetch(result.aligned_video))
    picture = portrait(samples, SIDE_PX)
    order = [*range(20), *range(18, -1, -1), 1]

    def place(index: int) -> tuple[float, float]:
        x, y = sway(picture, order[index]) @ np.array([*np.array(MOUTH_IN_PORTRAIT) * SIDE_PX / 720, 1.0])
        return float(x), float(y)

    assert result.mouth_curve is not None
    with store.open(result.mouth_curve) as stream:
        opening = MouthCurve.parse_json(stream.read()).opening
    seen = [gap_seen(frame, place, index) for index, frame in enumerate(frames)]
    assert len(frames) == len(opening) == 40
    assert np.corrcoef(seen, opening)[0, 1] >= MOVED_AS_TOLD
    assert result.fidelity is Fidelity.REAL
    assert result.untouched == ()
    assert result.metrics.face_confidence is not None
    assert result.metrics.face_confidence > 0.8


def test_away_from_the_mouth_it_stays_the_film(ask: Ask, animate: Animate, film: Path, store: ArtifactClient) -> None:
    before = decoded(film)
    after = decoded(store.fetch(animate(ask(film)).aligned_video))
    for index in (0, 7, 19):
        apart = np.abs(after[index][:150].astype(int) - before[index][:150])
        assert apart.mean() < 3


def test_keeps_the_films_rate_and_cuts_what_is_too_long(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    film = write_film(tmp_path / "long.mp4", [portrait(samples, 240)] * 70, fps=30)
    result = animate(ask(film))
    assert result.metrics.fps == 30
    assert len(decoded(store.fetch(result.aligned_video))) == 48


@pytest.mark.requirement("S22", "X1")
def test_frames_without_a_face_stay_as_they_are(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    picture = portrait(samples, 320)
    film = write_film(tmp_path / "gap.mp4", [picture] * 15 + [noise(picture)] * 10 + [picture] * 15)
    result = animate(ask(film))
    assert result.fidelity is Fidelity.DEGRADED
    assert [(span.start_frame, span.end_frame_exclusive, span.reason) for span in result.untouched] == [
        (15, 25, "no face is seen")
    ]
    assert result.metrics.animated_frame_count == 30
    assert "as they came" in result.notes[0]
    frames = decoded(store.fetch(result.aligned_video))
    assert np.abs(frames[20].astype(int) - noise(picture)).mean() < 3


@pytest.mark.parametrize("colour", [(60, 70, 90), (120, 150, 200)], ids=["dark", "skin-like"])
def test_nothing_is_painted_on_a_hand_before_the_mouth(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient, colour: tuple[int, int, int]
) -> None:
    picture = portrait(samples, 320)
    covered = picture.copy()
    cv2.rectangle(covered, (115, 125), (190, 190), colour, -1)
    result = animate(ask(write_film(tmp_path / "hand.mp4", [picture] * 10 + [covered] * 20 + [picture] * 10)))
    left = [frame for span in result.untouched for frame in range(span.start_frame, span.end_frame_exclusive)]
    assert set(range(10, 30)) <= set(left)
    assert len(left) <= 30
    assert result.fidelity is Fidelity.DEGRADED
    frames = decoded(store.fetch(result.aligned_video))
    assert np.abs(frames[20].astype(int) - covered)[120:190, 110:190].mean() < 4


def test_a_mouth_elsewhere_than_the_head_suggests_is_left_alone(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path
) -> None:
    """The eyes stay, the lower face moves aside: what a turn of the head looks like to a similarity."""
    picture = portrait(samples, 320)
    turned = picture.copy()
    turned[128:] = np.roll(picture[128:], 11, axis=1)
    result = animate(ask(write_film(tmp_path / "turn.mp4", [picture] * 20 + [turned] * 20)))
    assert result.fidelity is Fidelity.DEGRADED
    assert [span.end_frame_exclusive for span in result.untouched] == [40]
    assert 14 <= result.untouched[0].start_frame <= 24
    assert "turned" in result.untouched[0].reason


@pytest.mark.requirement("S21", "X1")
def test_the_last_animated_picture_can_be_held(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    picture = portrait(samples, 320)
    film = write_film(tmp_path / "gap.mp4", [picture] * 15 + [noise(picture)] * 25)
    result = animate(ask(film, no_face_policy="hold_last"))
    frames = decoded(store.fetch(result.aligned_video))
    assert np.abs(frames[30].astype(int) - frames[14]).mean() < 3
    assert result.fidelity is Fidelity.DEGRADED


@pytest.mark.requirement("X1")
def test_a_missing_face_can_be_a_failure(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    picture = portrait(samples, 320)
    film = write_film(tmp_path / "gap.mp4", [picture] * 20 + [noise(picture)] * 20)
    with pytest.raises(ProviderRejected, match=r"from 0\.80 s to 1\.60 s no face is seen"):
        animate(ask(film, no_face_policy="fail"))


def test_a_film_without_a_face_is_handed_on(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    request = ask(write_film(tmp_path / "nobody.mp4", [noise(portrait(samples, 240))] * 12))
    result = animate(request)
    assert result.aligned_video == request.video_stub
    assert result.fidelity is Fidelity.PASSTHROUGH
    assert result.metrics.frame_count == 0


def test_a_cut_starts_anew(ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient) -> None:
    """The same person elsewhere in the picture: both shots are animated, each with its own mouth."""
    picture = portrait(samples, 320)
    elsewhere = np.ascontiguousarray(np.roll(picture[:, ::-1], 60, axis=1))
    result = animate(ask(write_film(tmp_path / "cut.mp4", [picture] * 20 + [elsewhere] * 20)))
    assert result.metrics.animated_frame_count >= 34
    frames = decoded(store.fetch(result.aligned_video))
    for first, last in ((0, 20), (26, 40)):
        motion = np.std([frame.astype(float) for frame in frames[first:last]], axis=0)
        assert motion.max() > 15


def test_a_face_can_be_placed(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    picture = portrait(samples, 320)
    request = ask(write_film(tmp_path / "still.mp4", [picture] * 40))
    face = find_faces(picture)[0].box
    there = Box(x=face.x + 14, y=face.y + 14, width=round(0.76 * face.width), height=face.height)
    result = animate(request, faces=FaceOptions(detector="box", box=there))
    assert result.fidelity is Fidelity.REAL
    assert result.metrics.animated_frame_count == 40
    wall = there.model_copy(update={"x": 0, "y": 0})
    result = animate(request, faces=FaceOptions(detector="box", box=wall))
    assert result.fidelity is Fidelity.PASSTHROUGH, "there is no mouth on the wall"


def test_a_rerun_gives_the_same_bytes_though_it_follows_no_face(ask: Ask, animate: Animate, film: Path) -> None:
    """The first run looks at the mouth while it follows the face; the second reads the track that was kept."""
    first, again = animate(ask(film)), animate(ask(film))
    assert first.aligned_video.digest == again.aligned_video.digest
    assert first.mouth_curve == again.mouth_curve
