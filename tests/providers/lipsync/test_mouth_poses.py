"""Which frames of a shot are trusted, from which reference they are rendered, and where the mouth goes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.artifacts import Box
from providers._media.faces import find_faces
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers.lipsync._mouth_poses import LEAST_LOOKS, Plan, Poses
from tests.providers.lipsync.makers import Bgr, portrait

STILL = np.eye(2, 3)
EVERY = 5  # frames from look to look


@pytest.fixture(scope="module")
def picture() -> Bgr:
    return portrait(Path(__file__).parents[3] / "samples", 320)


@pytest.fixture(scope="module")
def mouth(picture: Bgr) -> MouthLandmarks:
    found = locate_mouth(picture, find_faces(picture)[0])
    assert found is not None
    return found


def moved(mouth: MouthLandmarks, across: float, down: float = 0.0) -> MouthLandmarks:
    """By so many half widths, in the picture."""
    x, y = mouth.centre_px
    return replace(mouth, centre_px=(x + across * mouth.half_width_px, y + down * mouth.half_width_px))


def planned(picture: Bgr, looks: Sequence[MouthLandmarks | None]) -> Plan:
    """Of a still head, a look every ``EVERY`` frames."""
    poses, box = Poses(), Box(x=0, y=0, width=320, height=320)
    for frame in range(EVERY * len(looks)):
        poses.transforms.append(STILL)
        if frame % EVERY == 0:
            found = looks[frame // EVERY]
            if found is None:
                poses.miss()
            else:
                poses.look(found, box, picture)
    return poses.plan()


def doubted(plan: Plan) -> list[int]:
    return [index for index, reason in enumerate(plan.doubts) if reason]


def across(plan: Plan, frame: int, mouth: MouthLandmarks) -> float:
    """How far right of the track the mouth is put, in half widths, by the view that counts."""
    return float(plan.views[frame][-1].transform[0, 2]) / mouth.half_width_px


def test_a_mouth_where_the_track_says_is_trusted_and_the_track_believed(picture: Bgr, mouth: MouthLandmarks) -> None:
    noisy = [moved(mouth, 0.1 * (-1) ** number) for number in range(8)]
    plan = planned(picture, noisy)
    assert doubted(plan) == []
    assert len(plan.references) == 1
    assert max(abs(across(plan, frame, mouth)) for frame in range(40)) < 0.02, "noise must not shake the mouth"


def test_one_mouth_elsewhere_is_a_mistake(picture: Bgr, mouth: MouthLandmarks) -> None:
    assert doubted(planned(picture, [mouth, mouth, moved(mouth, 0.6), mouth])) == list(range(6, 15))


def test_one_missed_look_is_forgiven_two_are_not(picture: Bgr, mouth: MouthLandmarks) -> None:
    assert doubted(planned(picture, [mouth, None, mouth, mouth])) == []
    assert doubted(planned(picture, [mouth, None, None, mouth])) == list(range(1, 15))


def test_an_unsure_mouth_counts_as_missed_a_wide_open_one_does_not(picture: Bgr, mouth: MouthLandmarks) -> None:
    unsure = replace(mouth, confidence=0.1)
    wide = replace(unsure, lower_inner=mouth.upper_inner + 0.7)
    assert doubted(planned(picture, [mouth, unsure, unsure, mouth])) == list(range(1, 15))
    assert doubted(planned(picture, [mouth, wide, wide, mouth])) == []


def test_a_mouth_that_leaves_the_track_is_anchored_where_it_is_seen(picture: Bgr, mouth: MouthLandmarks) -> None:
    looks = [moved(mouth, 0.0, 0.03 * number) for number in range(12)]
    plan = planned(picture, [*looks, *[looks[-1]] * 4])
    assert doubted(plan) == []
    down = [float(views[-1].transform[1, 2]) / mouth.half_width_px for views in plan.views]
    assert down[0] == pytest.approx(0, abs=0.03)
    assert down[-1] == pytest.approx(0.33 - 0.12, abs=0.05), "but for the noise of seeing"
    assert max(np.diff(down)) < 0.02, "it does not jump"


def test_a_turned_head_is_rendered_from_a_reference_of_its_own(picture: Bgr, mouth: MouthLandmarks) -> None:
    turning = [0.0] * 5 + [0.12, 0.24, 0.36, 0.48] + [0.6] * 6
    plan = planned(picture, [moved(mouth, place) for place in turning])
    assert doubted(plan) == []
    assert len(plan.references) == 2
    first, last = plan.views[10], plan.views[-1]
    assert [view.reference for view in (*first, *last)] == [0, 1]
    assert across(plan, -1, mouth) == pytest.approx(0, abs=0.15), "that reference was taken there"
    blended = [frame for frame, views in enumerate(plan.views) if len(views) == 2]
    assert blended == list(range(blended[0], blended[0] + 6))
    weights = [plan.views[frame][1].weight for frame in blended]
    assert weights == sorted(weights)
    assert 0 < weights[0] < 0.2
    assert 0.8 < weights[-1] < 1


def test_a_pose_that_is_hardly_seen_is_left_alone(picture: Bgr, mouth: MouthLandmarks) -> None:
    turned = [moved(mouth, 0.7)] * (LEAST_LOOKS - 1)
    plan = planned(picture, [*[mouth] * 8, *turned, *[mouth] * 8])
    assert len(plan.references) == 1
    assert set(range(40, 46)) <= set(doubted(plan))


def test_while_the_mouth_jumps_nobody_knows_where_it_is(picture: Bgr, mouth: MouthLandmarks) -> None:
    plan = planned(picture, [*[mouth] * 5, *[moved(mouth, 0.5)] * 5])
    assert doubted(plan) == [21, 22, 23, 24]
    assert len(plan.references) == 2
