"""Mouth opening measured in frames: it follows a painted mouth, whatever the head does, and nothing else."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from providers._media.faces import find_faces
from providers._media.mouth_measure import LOOK_EVERY_SECONDS, MouthMeter, MouthTrack, inside_of_mouth
from providers._media.mouth_places import PATCH_PX, MouthPlaces
from tests.drawn_faces import SKINS, DrawnFace, draw_face
from tests.providers.qa.films import FPS, SAMPLES_DIR, Film, Image, painted, portrait

LOOK_FRAMES = math.ceil(LOOK_EVERY_SECONDS * FPS)
OPENING = np.array([0.5 - 0.5 * math.cos(index * 0.9) for index in range(75)], np.float32)


@pytest.fixture(scope="module")
def face() -> Image:
    return portrait(SAMPLES_DIR / "presenter.png")


def measured(face: Image, change: Callable[[int, Image], Image | None] = lambda index, frame: frame) -> MouthTrack:
    meter = MouthMeter()
    for index, opening in enumerate(OPENING):
        meter.add(index / FPS, change(index, painted(face, float(opening))))
    return meter.finish()


def follows(track: MouthTrack) -> float:
    seen = np.isfinite(track.opening)
    return float(np.corrcoef(track.opening[seen], OPENING[seen])[0, 1])


def test_opening_follows_the_mouth(face: Image) -> None:
    track = measured(face)
    assert follows(track) > 0.95
    assert track.face_share == 1.0
    np.testing.assert_allclose(track.times_seconds, np.arange(len(OPENING)) / FPS)


def test_opening_follows_the_mouth_of_a_moving_tilted_head(face: Image) -> None:
    def moved(index: int, frame: Image) -> Image:
        matrix = cv2.getRotationMatrix2D((130, 130), 8 * math.sin(index / 9), 1 + 0.05 * math.sin(index / 14))
        matrix[:, 2] += (8 * math.sin(index / 11), 5 * math.cos(index / 8))
        turned = cv2.warpAffine(frame, matrix, frame.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, np.uint8)

    assert follows(measured(face, moved)) > 0.8


def test_opening_follows_the_mouth_in_dim_and_grainy_pictures(face: Image) -> None:
    grain = np.random.default_rng(5)

    def worse(index: int, frame: Image) -> Image:
        return np.clip(frame * 0.55 + grain.normal(0, 4, frame.shape), 0, 255).astype(np.uint8)

    assert follows(measured(face, worse)) > 0.85


@pytest.mark.parametrize("skin", ["pale", "light", "tan"])
def test_beard_that_moves_with_the_head_is_no_mouth(skin: str) -> None:
    bearded = DrawnFace(skin=skin, beard=True, seed=3)
    picture, centre, half = draw_face(bearded, 360), bearded.mouth_centre_px(360), bearded.mouth_half_width_px(360)
    meter = MouthMeter()
    for index, opening in enumerate(OPENING):
        size = (1.5 * half, 0.3 * half * float(opening))
        frame = cv2.ellipse(picture.copy(), (centre, size, 0), (25, 15, 30), -1, cv2.LINE_AA)
        turn = cv2.getRotationMatrix2D((180, 300), 3 * math.sin(index / 4.1), 1)
        turn[1, 2] += 3 * math.cos(index / 5.3)
        meter.add(index / FPS, np.asarray(cv2.warpAffine(frame, turn, (360, 360), borderMode=1), np.uint8))
    assert follows(meter.finish()) > 0.93


@pytest.mark.parametrize("skin", SKINS)
def test_teeth_in_the_shadow_of_a_lip_are_inside_of_the_mouth_and_lips_are_not(skin: str) -> None:
    colour = np.array(SKINS[skin], np.float32)
    tooth = 0.75 * (0.5 * colour + 0.5 * colour.mean())
    patch = np.full((PATCH_PX, PATCH_PX, 3), colour, np.float32)
    patch[40:48] = tooth
    patch[48:56] = colour * (0.7, 0.65, 1.0)
    found = inside_of_mouth(patch.astype(np.uint8))
    assert found[10:12].mean() > 128
    assert found[12:14].mean() < 20
    gray = np.repeat(patch.mean(axis=2, keepdims=True), 3, axis=2)  # no colour tells them apart
    assert inside_of_mouth(gray.astype(np.uint8)).max() == 0


def test_still_mouth_does_not_travel(face: Image) -> None:
    grain = np.random.default_rng(6)
    meter = MouthMeter()
    for index in range(40):
        noisy = np.clip(painted(face, 0.3) + grain.normal(0, 3, face.shape), 0, 255).astype(np.uint8)
        meter.add(index / FPS, noisy)
    assert meter.finish().travel < 0.003 < measured(face).travel


def test_single_wrong_look_is_voted_down(face: Image) -> None:
    def jumping(index: int, frame: Image) -> Image:
        return np.roll(frame, 60, axis=1) if index == LOOK_FRAMES * 3 else frame

    track = measured(face, jumping)
    others = np.arange(len(OPENING)) != LOOK_FRAMES * 3
    assert np.corrcoef(track.opening[others], OPENING[others])[0, 1] > 0.95


def test_a_face_that_the_detector_misses_is_still_there_while_it_looks_as_it_did(face: Image) -> None:
    places = MouthPlaces()
    box = find_faces(face)[0].box
    covered = face.copy()
    covered[box.y + round(0.66 * box.width) :] = 90
    assert not find_faces(covered)
    seen = places.look(0.0, face).face
    assert seen is not None
    for moved in range(5):
        found = places.look(1.5 * (moved + 1), np.roll(covered, 3 * moved, axis=1)).face
        assert found is not None
        assert found.centre[0] - seen.centre[0] == pytest.approx(3 * moved, abs=2)
    assert places.look(9.0, np.full_like(face, 90)).face is None


def test_no_face_is_no_opening() -> None:
    meter = MouthMeter()
    for index in range(20):
        meter.add(index / FPS, np.full((120, 160, 3), index, np.uint8))
    track = meter.finish()
    assert np.isnan(track.opening).all()
    assert (track.face_share, track.travel) == (0.0, 0.0)
    assert not track.scaled().any()


def test_frames_not_worth_looking_at_stay_unseen(face: Image) -> None:
    track = measured(face, lambda index, frame: None if 20 <= index < 40 else frame)
    assert np.isnan(track.opening[20:40]).all()
    assert np.isfinite(track.opening[:20]).all()
    assert follows(track) > 0.9


def test_only_about_a_second_of_frames_is_held(face: Image) -> None:
    meter = MouthMeter()
    for index in range(100):
        meter.add(index / FPS, face)
        assert len(meter._waiting) <= (3 + 1) * LOOK_EVERY_SECONDS * FPS + 1


def test_scaled_opening_uses_the_clips_own_range(film: Film) -> None:
    meter = MouthMeter()
    for index, frame in enumerate(film.frames[:50]):
        meter.add(index / FPS, frame)
    scaled = meter.finish().scaled()
    assert (scaled.min(), scaled.max()) == (0, 1)
