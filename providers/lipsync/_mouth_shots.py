"""What a video offers to animate: shots in which one face is followed, each with the mouth to work from.

One streaming pass. Of all frames only small things are kept: a transform each, and per shot the face's region of the
frame whose lips are most closed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box, FrameRange
from providers._media.face_tracking import LOOK_EVERY_FRAMES, Track, Transform, compose, inverse, scale_of
from providers._media.faces import Face, Image
from providers._media.frames import PlanarFrame
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers._media.planar import Planar, region, size_of

MAX_APART = 0.35  # half widths between tracked and located mouth; more means a turned head or a lost track
MAX_ODD_SIZE = 0.30
MAX_MISSED_LOOKS = 2  # no frontal face with a clear mouth this often in a row: the head is turned or covered
SHORTEST_SHOT_FRAMES = 5
SMOOTH_FRAMES = 0.8
MARGIN = 0.75  # of the face's width, around its centre: what a reference keeps


@dataclass(frozen=True)
class Reference:
    """The mouth that a shot is rendered from: a copy of its surroundings, landmarks in that copy's pixels."""

    bgr: Image
    mouth: MouthLandmarks


@dataclass
class Shot:
    """Frames ``first_frame`` and on, one transform each, from the reference's pixels to the frame's."""

    first_frame: int
    reference: Reference
    transforms: list[Transform]


@dataclass(frozen=True)
class Survey:
    """What the pass found. ``reasons`` names for each frame why it cannot be animated; empty where it can."""

    frame_count: int
    shots: tuple[Shot, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    width: int
    height: int


@dataclass
class _Open:
    """A shot while its frames come in."""

    first_frame: int
    transforms: list[Transform] = field(default_factory=list)
    looks: list[tuple[int, MouthLandmarks | None]] = field(default_factory=list)
    best: tuple[float, int, Box, Image, MouthLandmarks] | None = None


def survey(frames: Iterable[PlanarFrame], tracks: Iterable[Track]) -> Survey:
    """What the frames show of the face that was followed through them, a track per frame."""
    reasons: list[str] = []
    shots: list[Shot] = []
    confidences: list[float] = []
    current: _Open | None = None
    current_id = -1
    width = height = 0
    for frame, track in zip(frames, tracks, strict=False):
        width, height = size_of(frame.picture)
        if track.shot != current_id:
            _close(current, shots, reasons)
            current, current_id = (_Open(frame.index), track.shot) if track.shot >= 0 else (None, -1)
        reasons.append("" if current is not None else "no face is seen")
        if current is not None:
            _take(current, frame, track, confidences)
    _close(current, shots, reasons)
    mean = round(float(np.mean(confidences)), 4) if confidences else None
    return Survey(len(reasons), tuple(shots), tuple(reasons), mean, width, height)


def ranges(reasons: Iterable[str]) -> tuple[FrameRange, ...]:
    """Runs of frames with the same reason; frames without one are left out."""
    found: list[FrameRange] = []
    start, held, index = 0, "", -1
    for index, reason in enumerate(reasons):
        if reason != held:
            if held:
                found.append(FrameRange(start_frame=start, end_frame_exclusive=index, reason=held))
            start, held = index, reason
    if held:
        found.append(FrameRange(start_frame=start, end_frame_exclusive=index + 1, reason=held))
    return tuple(found)


def _take(shot: _Open, frame: PlanarFrame, track: Track, confidences: list[float]) -> None:
    """One frame of a shot; where the detector looked, the mouth is looked for as well."""
    if track.transform is None:
        return
    shot.transforms.append(track.transform)
    if not track.looked:
        return
    around = _surroundings(frame.picture, track.face) if track.face is not None else None
    picture = region(frame.picture, around) if around is not None else None
    mouth = _mouth_in(picture, around, track.face)
    shot.looks.append((frame.index - shot.first_frame, mouth))
    if mouth is None or picture is None or around is None:
        return
    confidences.append(mouth.confidence)
    if mouth.is_sure and (shot.best is None or _cost(mouth) < shot.best[0]):
        shot.best = (_cost(mouth), frame.index - shot.first_frame, around, picture, mouth)


def _cost(mouth: MouthLandmarks) -> float:
    """Lower is better to work from: closed lips, then a sure contour."""
    return mouth.gap + mouth.parting - 0.2 * mouth.confidence


def _surroundings(picture: Planar, face: Face) -> Box:
    """All that a mouth of the face may need, inside of the picture."""
    x, y = face.centre
    size = face.box.width
    width, height = size_of(picture)
    left, top = max(0, int(x - MARGIN * size)), max(0, int(y - MARGIN * size))
    right, bottom = min(width, int(x + MARGIN * size) + 1), min(height, int(y + (MARGIN + 0.3) * size) + 1)
    return Box(x=left, y=top, width=max(1, right - left), height=max(1, bottom - top))


def _mouth_in(part: Image | None, box: Box | None, face: Face | None) -> MouthLandmarks | None:
    """The mouth in a part of a picture, in pixels of the whole."""
    if part is None or box is None or face is None:
        return None
    mouth = locate_mouth(part, face.shifted(-box.x, -box.y))
    if mouth is None:
        return None
    x, y = mouth.centre_px
    return replace(mouth, centre_px=(x + box.x, y + box.y))


def _close(shot: _Open | None, shots: list[Shot], reasons: list[str]) -> None:
    """Judge a finished shot: keep it, and give a reason to each of its frames that cannot be animated."""
    if shot is None:
        return
    span = range(shot.first_frame, shot.first_frame + len(shot.transforms))
    doubt = _doubt(shot)
    if doubt or shot.best is None:
        for index in span:
            reasons[index] = doubt or "the mouth is not found"
        return
    _, position, box, kept, mouth = shot.best
    for offset, reason in enumerate(_frame_doubts(shot, position, mouth)):
        reasons[shot.first_frame + offset] = reason
    local = replace(mouth, centre_px=(mouth.centre_px[0] - box.x, mouth.centre_px[1] - box.y))
    to_first = compose(inverse(shot.transforms[position]), np.array([[1.0, 0, box.x], [0, 1.0, box.y]]))
    smooth = _smoothed(np.array(shot.transforms))
    transforms = [compose(transform, to_first) for transform in smooth]
    shots.append(Shot(shot.first_frame, Reference(kept, local), transforms))


def _doubt(shot: _Open) -> str:
    """Why a whole shot cannot be animated; empty when it can."""
    if len(shot.transforms) < SHORTEST_SHOT_FRAMES:
        return "the face is seen too shortly"
    seen = [mouth for _, mouth in shot.looks if mouth is not None]
    closed = [mouth for mouth in seen if mouth.gap == 0]
    if shot.best is not None and (_mostly_sure(seen) or (len(closed) > 1 and _mostly_sure(closed))):
        return ""
    doubts = [mouth.doubt for mouth in seen if mouth.doubt]
    return max(doubts, key=doubts.count) if doubts else "the mouth is not found"


def _mostly_sure(mouths: list[MouthLandmarks]) -> bool:
    return sum(mouth.is_sure for mouth in mouths) * 2 >= len(mouths)


def _frame_doubts(shot: _Open, position: int, mouth: MouthLandmarks) -> list[str]:
    """A reason per frame of the shot: no clear mouth for a while, or it is not where the track says."""
    doubts = [""] * len(shot.transforms)
    missed: list[int] = []
    for offset, found in shot.looks:
        if found is None or not (found.is_sure or found.is_wide_open):
            missed.append(offset)
            if len(missed) >= MAX_MISSED_LOOKS:
                _mark(doubts, missed[0], offset, "the face is turned or covered")
            continue
        missed.clear()
        if found.is_sure and _is_elsewhere(shot, position, mouth, offset, found):
            _mark(doubts, offset, offset, "the face is turned, or its track is lost")
    return doubts


def _mark(doubts: list[str], first: int, last: int, reason: str) -> None:
    """The reason holds from halfway to the look before until halfway to the one after."""
    half = LOOK_EVERY_FRAMES - 1
    for offset in range(max(0, first - half), min(len(doubts), last + half + 1)):
        doubts[offset] = reason


def _is_elsewhere(shot: _Open, position: int, mouth: MouthLandmarks, offset: int, found: MouthLandmarks) -> bool:
    moved = compose(shot.transforms[offset], inverse(shot.transforms[position]))
    expected = moved[:, :2] @ np.array(mouth.centre_px) + moved[:, 2]
    size = mouth.half_width_px * scale_of(moved)
    across = np.hypot(*(np.array(found.centre_px) - expected)) / size
    return bool(across > MAX_APART + MAX_ODD_SIZE * abs(found.half_width_px / size - 1))


def _smoothed(transforms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Gaussian over time, (n, 2, 3): what trembles is the measurement, not the head."""
    reach = 3
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH_FRAMES) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([transforms[:1]] * reach + [transforms] + [transforms[-1:]] * reach)
    return np.asarray(sum(weight * padded[step : step + len(transforms)] for step, weight in enumerate(kernel)))
