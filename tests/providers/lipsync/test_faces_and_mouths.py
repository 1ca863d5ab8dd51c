"""Faces and mouths are found where a person sees them, or doubted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.artifacts import Box
from providers._media.faces import Face, choose_face, find_faces
from providers._media.mouth_landmarks import CONTOUR_U, MouthLandmarks, locate_mouth
from tests.drawn_faces import DrawnFace, draw_face
from tests.providers.lipsync.makers import MOUTH_IN_PORTRAIT, Bgr, decoded, noise, portrait, swaying, write_film

CORNERS = ((293.0, 315.0), (391.0, 317.0))
"""Outer corners of the mouth in the 720 pixels wide portrait, by a landmark model."""
CLOSE = 0.2  # of the mouth's half width


def mouth_of(bgr: Bgr) -> MouthLandmarks:
    mouth = locate_mouth(bgr, find_faces(bgr)[0])
    assert mouth is not None
    return mouth


def middle(mouth: MouthLandmarks) -> tuple[float, float]:
    """Midway between the lips, picture pixels."""
    centre = len(CONTOUR_U) // 2
    return mouth.to_picture(0, float(mouth.upper_inner[centre] + mouth.lower_inner[centre]) / 2)


@pytest.mark.parametrize("side_px", [240, 480, 720, 1500])
def test_mouth_of_the_portrait_at_any_size(samples: Path, side_px: int) -> None:
    mouth = mouth_of(portrait(samples, side_px))
    scale = side_px / 720
    expected = np.array(MOUTH_IN_PORTRAIT) * scale
    assert np.linalg.norm(np.array(middle(mouth)) - expected) < CLOSE * mouth.half_width_px
    assert mouth.half_width_px == pytest.approx((CORNERS[1][0] - CORNERS[0][0]) / 2 * scale, rel=0.15)
    assert 0.15 < mouth.gap < 0.4, "the portrait smiles with teeth"
    assert mouth.is_sure
    assert mouth.doubt == ""


@pytest.mark.parametrize("roll_degrees", [-30, -10, 12, 20, 30])
def test_a_leaning_head_is_found_with_its_roll(samples: Path, roll_degrees: float) -> None:
    picture = portrait(samples, 480)
    turn = cv2.getRotationMatrix2D((230, 200), -roll_degrees, 1)
    mouth = mouth_of(np.asarray(cv2.warpAffine(picture, turn, (480, 480), borderMode=cv2.BORDER_REPLICATE), np.uint8))
    assert mouth.roll_degrees == pytest.approx(roll_degrees + 1.2, abs=4)
    expected = turn @ np.array([*np.array(MOUTH_IN_PORTRAIT) * 480 / 720, 1])
    assert np.linalg.norm(np.array(middle(mouth)) - expected) < CLOSE * mouth.half_width_px


def test_nobody_is_found_where_nobody_is(samples: Path) -> None:
    assert find_faces(noise(portrait(samples, 320))) == []


def test_faces_are_counted_from_the_left_and_the_largest_is_first(samples: Path) -> None:
    large, small = portrait(samples, 480), portrait(samples, 300)
    canvas = np.full((480, 800, 3), 180, np.uint8)
    canvas[:300, :300] = small
    canvas[:, 310:790] = large
    faces = find_faces(canvas)
    assert len(faces) == 2
    assert choose_face(faces, None) == faces[0]
    left, right = choose_face(faces, 0), choose_face(faces, 1)
    assert left is not None
    assert right is not None
    assert left.centre[0] < 300 < right.centre[0]
    assert right == faces[0]
    assert choose_face(faces, 2) is None
    assert choose_face([], None) is None


@pytest.mark.parametrize(
    ("corner", "opposite", "colour"),
    [
        ((285, 322), (400, 425), (90, 70, 60)),
        ((270, 318), (420, 425), (200, 190, 190)),
        ((285, 290), (400, 345), (90, 100, 130)),
    ],
    ids=["dark", "pale", "skin-like"],
)
def test_a_covered_mouth_is_not_believed(
    samples: Path, corner: tuple[int, int], opposite: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    picture = portrait(samples, 720)
    cv2.rectangle(picture, corner, opposite, colour, -1)
    faces = find_faces(picture)
    assert faces, "eyes and forehead are there"
    mouth = locate_mouth(picture, faces[0])
    assert mouth is None or not mouth.is_sure


def test_a_moustache_over_the_lip_line_is_not_taken_for_the_mouth(samples: Path) -> None:
    picture = portrait(samples, 720)
    cv2.ellipse(picture, (342, 326), (46, 10), 0, 160, 380, (40, 46, 60), 14)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)
    mouth = locate_mouth(picture, find_faces(picture)[0])
    assert mouth is None or not mouth.is_sure


def test_hair_above_a_lip_is_not_taken_for_an_open_mouth() -> None:
    drawn = DrawnFace("pale", "full", moustache=True, roll_degrees=-1.1, turn=-0.12, light=-0.39, seed=30180)
    picture = draw_face(drawn)
    mouth = locate_mouth(picture, find_faces(picture)[0])
    assert mouth is None or not mouth.is_sure


def test_teeth_are_found_in_a_dim_picture(samples: Path) -> None:
    bright = portrait(samples, 360)
    for gain in (1.0, 0.6, 0.4, 0.3):
        mouth = mouth_of((bright * gain).astype(np.uint8))
        assert mouth.is_sure, f"{gain}: {mouth.doubt}"
        assert 0.2 < mouth.gap < 0.32


def test_teeth_whose_colour_a_codec_smeared_are_found(samples: Path, tmp_path: Path) -> None:
    dim = (portrait(samples, 360) * 0.65).astype(np.uint8)
    path = write_film(tmp_path / "film.mp4", swaying(dim, 50))
    mouths = [mouth_of(frame) for frame in decoded(path)[::5]]
    assert sum(mouth.is_sure and mouth.gap > 0.15 for mouth in mouths) >= 9


def test_black_picture_holds_no_sure_mouth() -> None:
    face = Face(Box(x=60, y=60, width=120, height=120), 0.0, 1.0)
    mouth = locate_mouth(np.zeros((240, 240, 3), np.uint8), face)
    assert mouth is None or not mouth.is_sure


def test_teeth_that_cannot_be_told_from_lips_are_doubted(samples: Path) -> None:
    gray = cv2.cvtColor(portrait(samples, 480), cv2.COLOR_BGR2GRAY)
    mouth = mouth_of(np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8))
    assert not mouth.is_sure
    assert "teeth" in mouth.doubt


def test_a_mouth_of_few_pixels_is_doubted(samples: Path) -> None:
    tiny = portrait(samples, 110)
    large = np.full((300, 300, 3), 160, np.uint8)
    large[:110, :110] = tiny
    faces = find_faces(large)
    mouths = [locate_mouth(large, face) for face in faces]
    assert all(mouth is None or not mouth.is_sure or mouth.half_width_px >= 6 for mouth in mouths)
