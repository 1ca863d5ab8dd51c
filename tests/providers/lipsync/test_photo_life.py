"""A photo that speaks is alive in the rest as well, a little, and each time in the same way."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import Box, Span
from contracts.context import ArtifactClient
from contracts.lipsync import LipSyncRequest, LipSyncResult
from providers._media.eye_landmarks import Eye, locate_eyes
from providers._media.faces import Face, find_faces
from providers._media.planar import Planar, planar, region
from providers.lipsync._mouth_life import LifeOptions, LivingPhoto, life_curves
from tests.providers.lipsync.makers import Bgr, decoded, portrait, write_picture

Ask = Callable[..., LipSyncRequest]
Animate = Callable[..., LipSyncResult]
SIDE_PX = 360
PUPILS = ((296.0, 229.0), (393.0, 232.5))
"""In the 720 pixels wide portrait, by eye."""
COUNT, FPS = 250, 25.0
ALL = LifeOptions()
NOTHING = LifeOptions(sway=False, breathing=False, blinks=False)


@pytest.fixture(scope="module")
def picture() -> Bgr:
    return portrait(Path(__file__).parents[3] / "samples", SIDE_PX)


@pytest.fixture(scope="module")
def face(picture: Bgr) -> Face:
    return find_faces(picture)[0]


def living(picture: Bgr, face: Face, options: LifeOptions) -> LivingPhoto:
    return LivingPhoto(picture, face, locate_eyes(picture, face), life_curves(picture, COUNT, FPS, options))


def seen(picture: Planar) -> Bgr:
    return region(picture, Box(x=0, y=0, width=SIDE_PX, height=SIDE_PX))


def eyes_of(picture: Bgr, face: Face) -> tuple[Eye, Eye]:
    eyes = locate_eyes(picture, face)
    assert eyes is not None
    return eyes


def test_the_pupils_are_where_a_person_sees_them(picture: Bgr, face: Face) -> None:
    for eye, pupil in zip(eyes_of(picture, face), PUPILS, strict=True):
        expected = np.array(pupil) * SIDE_PX / 720
        assert np.linalg.norm(np.array(eye.centre_px) - expected) < 0.2 * eye.half_width_px
        assert 0.15 < eye.above_px / eye.half_width_px < 0.5


def test_eyes_that_are_shut_or_covered_do_not_blink(picture: Bgr, face: Face) -> None:
    for covered in (lambda eye: (60, 60, 60), lambda eye: (150, 170, 205)):
        hidden = picture.copy()
        for eye in eyes_of(picture, face):
            x, y = (round(place) for place in eye.centre_px)
            cv2.ellipse(hidden, (x, y), (16, 9), 0, 0, 360, covered(eye), -1)
        assert locate_eyes(hidden, face) is None


def test_lids_close_over_the_eyes_and_change_nothing_else(picture: Bgr, face: Face) -> None:
    life = living(picture, face, LifeOptions(sway=False, breathing=False))
    curves = life_curves(picture, COUNT, FPS, ALL)
    shut, awake = int(np.argmax(curves.lids)), int(np.argmin(curves.lids))
    np.testing.assert_array_equal(life.frame(awake), planar(picture))
    changed = np.abs(seen(life.frame(shut)).astype(int) - seen(life.frame(awake))).max(axis=2)
    for eye in eyes_of(picture, face):
        x, y = (round(place) for place in eye.centre_px)
        assert changed[y - 2 : y + 3, x - 2 : x + 3].mean() > 25, "skin is where the pupil was"
        changed[y - 30 : y + 30, x - 30 : x + 30] = 0
    assert changed.max() == 0


def test_people_blink_now_and_then() -> None:
    blank = np.zeros((4, 4, 3), np.uint8)
    lids = life_curves(blank, 60 * 25, FPS, ALL).lids
    starts = np.flatnonzero((lids[1:] > 0) & (lids[:-1] == 0))
    assert 9 <= len(starts) <= 30, "in a minute"
    assert np.count_nonzero(lids) < 0.2 * len(lids)


def test_head_and_chest_move_a_little(picture: Bgr, face: Face) -> None:
    """How far a patch of the face has gone: some, but less than three hundredths of the face."""
    life = living(picture, face, LifeOptions(blinks=False))
    x, y, size = face.box.x, face.box.y, face.box.width
    patch = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[y + 20 : y + size - 40, x + 15 : x + size - 15]
    travelled = []
    for index in range(0, COUNT, 10):
        gray = cv2.cvtColor(seen(life.frame(index)), cv2.COLOR_BGR2GRAY)
        moved = gray[y + 20 : y + size - 40, x + 15 : x + size - 15]
        (right, down), _ = cv2.phaseCorrelate(patch.astype(np.float32), moved.astype(np.float32))
        travelled.append(np.hypot(right, down) / size)
    assert 0.004 < max(travelled) < 0.03
    assert min(travelled) < 0.5 * max(travelled)


def test_the_pictures_borders_stay(picture: Bgr, face: Face) -> None:
    frame, picture = seen(living(picture, face, ALL).frame(40)), seen(planar(picture))
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(frame[edge].astype(int) - picture[edge]).max() <= 3
    assert np.abs(frame.astype(int) - picture).max() > 20


def test_parts_that_are_moved_one_by_one_meet_without_a_seam(
    picture: Bgr, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = []
    for pixels in (1, 1 << 30):
        monkeypatch.setattr("providers.lipsync._mouth_flow.BAND_PX", pixels)
        frames.append([living(picture, face, ALL).frame(index).astype(int) for index in range(0, COUNT, 25)])
    in_parts, at_once = frames
    for one, other in zip(in_parts, at_once, strict=True):
        assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("name", ["sway", "breathing", "blinks"])
def test_each_sign_of_life_can_be_switched_off(picture: Bgr, face: Face, name: str) -> None:
    on, off = living(picture, face, ALL), living(picture, face, LifeOptions(**{name: False}))
    only = living(picture, face, LifeOptions(**{**vars(NOTHING), name: True}))
    indices = range(0, COUNT, 3)
    assert any(np.any(on.frame(index) != off.frame(index)) for index in indices)
    assert any(np.any(only.frame(index) != planar(picture)) for index in indices)


def test_without_life_the_photo_stays_as_it_is(picture: Bgr, face: Face) -> None:
    life = living(picture, face, NOTHING)
    for index in (0, 70, 249):
        np.testing.assert_array_equal(life.frame(index), planar(picture))


def test_the_same_photo_lives_the_same_life_another_one_another(picture: Bgr) -> None:
    first, again = (life_curves(picture, COUNT, FPS, ALL) for _ in range(2))
    other = life_curves(picture[::-1].copy(), COUNT, FPS, ALL)
    for name in ("across", "down", "roll", "breath", "lids"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert np.any(getattr(first, name) != getattr(other, name)), name


def test_a_rerun_gives_the_same_bytes(ask: Ask, animate: Animate, samples: Path, tmp_path: Path) -> None:
    request = ask(write_picture(tmp_path / "face.png", portrait(samples, 240)))
    life = {"sway": True, "breathing": True, "blinks": True}
    first, again = animate(request, **life), animate(request, **life)
    assert first.aligned_video.digest == again.aligned_video.digest
    assert first.before_mouth == again.before_mouth
    assert first.aligned_video.digest != animate(request).aligned_video.digest


def test_the_frames_before_the_mouth_are_the_same_but_for_the_mouth(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    request = ask(write_picture(tmp_path / "face.png", portrait(samples, 480)))
    result = animate(request, sway=True, breathing=True, blinks=True)
    assert result.before_mouth is not None
    before, after = (decoded(store.fetch(ref)) for ref in (result.before_mouth, result.aligned_video))
    assert (len(before), len(after)) == (8, 40), "five a second"
    assert before[0].shape == (480, 480, 3)
    still = portrait(samples, 480)
    assert any(np.abs(frame[60:200, 120:330].astype(int) - still[60:200, 120:330]).mean() > 3 for frame in before)
    for first, second in zip(before, after[::5], strict=True):
        apart = np.abs(first.astype(int) - second)
        apart[170:310, 140:310] = 0
        assert apart.mean() < 2.5
    mouths = [
        np.abs(a[200:250, 190:265].astype(int) - b[200:250, 190:265]).mean()
        for a, b in zip(before, after[::5], strict=True)
    ]
    assert max(mouths) > 12


def test_a_photo_of_which_only_stretches_are_animated_stands_still(
    ask: Ask, animate: Animate, samples: Path, tmp_path: Path, store: ArtifactClient
) -> None:
    request = ask(
        write_picture(tmp_path / "face.png", portrait(samples, 240)),
        segments=(Span(start_seconds=0.4, end_seconds_exclusive=1.2),),
    )
    frames = decoded(store.fetch(animate(request, sway=True, breathing=True, blinks=True).aligned_video))
    assert np.abs(frames[38].astype(int) - portrait(samples, 240)).mean() < 3
    assert np.abs(frames[20][:80].astype(int) - portrait(samples, 240)[:80]).mean() < 3
