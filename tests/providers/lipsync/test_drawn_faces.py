"""Mouths of drawn faces of every tone are found to the pixel; what covers or hides a mouth is doubted."""

import math

import pytest

from providers._media.faces import find_faces
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from tests.drawn_faces import SKINS, DrawnFace, draw_face

CLOSE = 0.2  # of the mouth's half width
AS_WIDE = 0.25


def mouth_of(face: DrawnFace) -> MouthLandmarks | None:
    picture = draw_face(face)
    found = find_faces(picture)
    return locate_mouth(picture, found[0]) if found else None


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("mouth", ["closed", "full", "parted"])
def test_mouths_of_every_tone_are_found(skin: str, mouth: str) -> None:
    face = DrawnFace(skin=skin, mouth=mouth, seed=4)
    found = mouth_of(face)
    assert found is not None
    assert found.is_sure, found.doubt
    assert math.dist(found.to_picture(0, 0), face.mouth_centre_px()) < CLOSE * face.mouth_half_width_px()
    assert found.half_width_px == pytest.approx(face.mouth_half_width_px(), rel=AS_WIDE)
    assert (found.gap > 0.1) == (mouth == "parted")


@pytest.mark.parametrize(
    "face",
    [
        DrawnFace(mouth="smile", skin="tan", roll_degrees=-20),
        DrawnFace(mouth="closed", roll_degrees=20),
        DrawnFace(mouth="full", beard=True),
        DrawnFace(mouth="closed", glasses=True, skin="dark"),
    ],
    ids=lambda face: face.name,
)
def test_tilted_bearded_and_bespectacled_faces_are_found(face: DrawnFace) -> None:
    found = mouth_of(face)
    assert found is not None
    assert found.is_sure, found.doubt
    assert found.roll_degrees == pytest.approx(face.roll_degrees, abs=4)


def test_teeth_in_a_dark_face_are_not_taken_for_skin_below_the_lips() -> None:
    found = mouth_of(DrawnFace(skin="dark", mouth="smile", seed=27, light=-0.6))
    assert found is None or not found.is_sure or found.gap > 0.1


@pytest.mark.parametrize(
    "face",
    [
        DrawnFace(moustache=True),
        DrawnFace(moustache=True, skin="brown", mouth="full"),
        DrawnFace(hand=True),
        DrawnFace(mouth="wide"),
        DrawnFace(mouth="wide", skin="dark"),
    ],
    ids=lambda face: face.name,
)
def test_hidden_and_wide_open_mouths_are_doubted(face: DrawnFace) -> None:
    found = mouth_of(face)
    assert found is None or not found.is_sure
