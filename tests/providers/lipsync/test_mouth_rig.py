"""What the warped mouth looks like, pose by pose."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from providers._media.faces import find_faces
from providers._media.mouth_landmarks import locate_mouth
from providers._media.planar import planar, planes
from providers.lipsync._mouth_compose import MouthComposer
from providers.lipsync._mouth_rig import MouthRig, Pose
from tests.providers.lipsync.makers import Bgr, gap_seen, portrait

CLOSED = Pose(opening=0.0, width=1.0, teeth=0.0, tuck=0.0)


def pose(opening: float, width: float = 1.0, teeth: float = 0.6, tuck: float = 0.0) -> Pose:
    return Pose(opening, width, teeth, tuck)


@pytest.fixture
def picture(samples: Path) -> Bgr:
    return portrait(samples, 720)


@pytest.fixture
def rig(picture: Bgr) -> MouthRig:
    mouth = locate_mouth(picture, find_faces(picture)[0])
    assert mouth is not None
    return MouthRig(picture, mouth)


def painted(picture: Bgr, rig: MouthRig, wanted: Pose) -> Bgr:
    result = picture.copy()
    box = rig.box
    result[box.y : box.y + box.height, box.x : box.x + box.width] = rig.render(wanted)[0]
    return result


def test_a_smile_with_teeth_can_be_closed(picture: Bgr, rig: MouthRig) -> None:
    assert gap_seen(picture) > 15, "the photo shows teeth"
    assert gap_seen(painted(picture, rig, CLOSED)) <= 4, "only the line between the lips is left"
    assert rig.render(CLOSED)[1] == 0


def test_no_tooth_shines_through_closed_lips(picture: Bgr, rig: MouthRig) -> None:
    def redness(bgr: Bgr) -> npt.NDArray[np.float64]:
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)[..., 1].astype(float)

    teeth = np.zeros(picture.shape[:2], bool)
    teeth[322:336, 320:360] = redness(picture)[322:336, 320:360] < 134
    assert np.count_nonzero(teeth) > 150
    closed = redness(painted(picture, rig, CLOSED))[teeth]
    assert np.percentile(closed, 5) > 136, "lips are where the teeth were"


def test_the_gap_grows_with_the_opening(picture: Bgr, rig: MouthRig) -> None:
    gaps = [gap_seen(painted(picture, rig, pose(opening))) for opening in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > gaps[1] + 8


def test_the_opening_told_is_the_one_rendered(rig: MouthRig) -> None:
    assert rig.render(pose(1.0))[1] == pytest.approx(1.0, abs=0.02)
    assert rig.render(pose(0.5))[1] == pytest.approx(0.5, abs=0.02)
    assert rig.render(pose(-0.08))[1] == 0
    assert rig.render(pose(0.5, tuck=1.0))[1] < 0.15, "a tucked lip closes the gap"


def test_open_wide_it_is_dark_behind_the_teeth(picture: Bgr, rig: MouthRig) -> None:
    open_wide = painted(picture, rig, pose(1.0))
    assert open_wide[325:365, 325:355].mean(axis=2).min() < 60
    assert painted(picture, rig, CLOSED)[325:365, 325:355].mean(axis=2).min() > 60


def test_rounding_makes_the_mouth_narrower(picture: Bgr, rig: MouthRig) -> None:
    def width(bgr: Bgr) -> int:
        dark = (bgr[305:350, 280:410].astype(int).mean(axis=2) < 75).any(axis=0)
        columns = np.flatnonzero(dark)
        return int(columns[-1] - columns[0])

    assert width(painted(picture, rig, pose(0.6, width=0.7))) < width(painted(picture, rig, pose(0.6, width=1.1))) - 8


@pytest.mark.parametrize("wanted", [CLOSED, pose(1.0, 0.7), pose(1.0, 1.15), pose(0.1, 1.0, 1.0, 1.0), pose(-0.1)])
def test_the_region_joins_the_rest_without_a_seam(picture: Bgr, rig: MouthRig, wanted: Pose) -> None:
    rendered, _ = rig.render(wanted)
    box = rig.box
    before = picture[box.y : box.y + box.height, box.x : box.x + box.width].astype(int)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(rendered[edge].astype(int) - before[edge]).max() <= 3


def test_the_same_pose_gives_the_same_bytes(rig: MouthRig) -> None:
    np.testing.assert_array_equal(rig.render(pose(0.4))[0], rig.render(pose(0.4))[0])


def test_works_in_single_precision(rig: MouthRig) -> None:
    """Twice the memory traffic would halve the speed."""
    u, v = rig.coordinates
    lips = rig.lips(pose(0.5, tuck=0.5))
    assert {array.dtype for array in (u, v, lips.upper, lips.lower)} == {np.dtype(np.float32)}


def test_a_face_at_the_pictures_edge_is_rendered_in_what_there_is(samples: Path) -> None:
    cut = np.ascontiguousarray(portrait(samples, 720)[:375, 240:])
    mouth = locate_mouth(cut, find_faces(cut)[0])
    if mouth is None:
        pytest.skip("no mouth is found in the cut picture")
    rig = MouthRig(cut, mouth)
    rendered, _ = rig.render(pose(1.0))
    assert rendered.shape == (rig.box.height, rig.box.width, 3)
    assert rig.box.y + rig.box.height <= 375


def test_in_a_video_the_jaws_outline_and_the_cheeks_stay(picture: Bgr) -> None:
    """Two outlines would be seen: the film's jaw moves in its own way."""
    mouth = locate_mouth(picture, find_faces(picture)[0])
    assert mouth is not None
    before, frame = planar(picture), planar(picture)
    MouthComposer(picture, mouth).compose(frame, np.eye(2, 3), pose(1.0))
    changed = np.argwhere(np.abs(planes(frame)[0].astype(int) - planes(before)[0]) > 1)[:, ::-1] - mouth.centre_px
    roll = np.radians(mouth.roll_degrees)
    cos, sin = np.cos(roll) / mouth.half_width_px, np.sin(roll) / mouth.half_width_px
    across, down = changed[:, 0] * cos + changed[:, 1] * sin, changed[:, 1] * cos - changed[:, 0] * sin
    assert len(across) > 2000
    assert down.max() < mouth.chin
    assert np.abs(across).max() < 1.8
