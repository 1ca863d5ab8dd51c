"""What a video offers to animate: shots in which one face is followed, each with the mouths to work from.

One streaming pass over the file's own frames. Of all frames only small things are kept: a transform each, and per shot
and pose of the head the face's region of the frame whose lips are most closed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from contracts.artifacts import Box, FrameRange
from providers._media.face_tracking import Track
from providers._media.faces import Face, Image
from providers._media.frames import Timed
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers._media.planar import Planar, region, size_of
from providers.lipsync._mouth_poses import Poses, Reference, View

SHORTEST_SHOT_FRAMES = 5
MARGIN = 0.75  # of the face's width, around its centre: what a reference keeps


@dataclass(frozen=True)
class Shot:
    """Frames ``first_frame`` and on: what each shows, from the references."""

    first_frame: int
    references: tuple[Reference, ...]
    views: list[tuple[View, ...]]


@dataclass(frozen=True)
class Survey:
    """What the pass found. ``reasons`` names for each frame why it cannot be animated; empty where it can."""

    frames: tuple[Timed[int], ...]
    """When each is shown; the value is its number."""
    shots: tuple[Shot, ...]
    reasons: tuple[str, ...]
    confidence: float | None

    @property
    def is_one_shot(self) -> bool:
        """One face is followed from the first frame to the last, so there is no cut."""
        return len(self.shots) == 1 and len(self.shots[0].views) == len(self.frames)

    def shot_of(self, frame: int) -> Shot:
        """That of an animated frame."""
        return next(shot for shot in self.shots if 0 <= frame - shot.first_frame < len(shot.views))


class Surveyor:
    """Takes the frames of a video in order, each with its track."""

    def __init__(self) -> None:
        self._frames: list[Timed[int]] = []
        self._reasons: list[str] = []
        self._shots: list[Shot] = []
        self._confidences: list[float] = []
        self._first_frame = 0
        self._poses: Poses | None = None
        self._shot = -1

    @property
    def frame_count(self) -> int:
        """So far."""
        return len(self._reasons)

    def take(self, frame: Timed[Planar], track: Track) -> None:
        """The next frame; its picture is not kept."""
        self._frames.append(Timed(frame.time_seconds, frame.end_seconds_exclusive, self.frame_count))
        if track.shot != self._shot:
            self._close()
            self._shot, self._first_frame = track.shot, self.frame_count
            self._poses = Poses() if track.shot >= 0 else None
        self._reasons.append("" if self._poses is not None else "no face is seen")
        if self._poses is not None and track.transform is not None:
            self._poses.transforms.append(track.transform)
            if track.looked:
                self._look(self._poses, frame.value, track.face)

    def finished(self) -> Survey:
        self._close()
        mean = round(float(np.mean(self._confidences)), 4) if self._confidences else None
        return Survey(tuple(self._frames), tuple(self._shots), tuple(self._reasons), mean)

    def _look(self, poses: Poses, picture: Planar, face: Face | None) -> None:
        if face is None:
            poses.miss()
            return
        box = _surroundings(picture, face)
        part = region(picture, box)
        mouth = _mouth_in(part, box, face)
        if mouth is None:
            poses.miss()
            return
        self._confidences.append(mouth.confidence)
        poses.look(mouth, box, part)

    def _close(self) -> None:
        """Judge a finished shot: keep it, and give a reason to each of its frames that cannot be animated."""
        poses, self._poses = self._poses, None
        if poses is None:
            return
        doubt = _doubt(poses)
        if doubt:
            doubts = [doubt] * len(poses.transforms)
        else:
            plan = poses.plan()
            doubts = plan.doubts
            self._shots.append(Shot(self._first_frame, plan.references, plan.views))
        self._reasons[self._first_frame : self._first_frame + len(doubts)] = doubts


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


def _surroundings(picture: Planar, face: Face) -> Box:
    """All that a mouth of the face may need, inside of the picture."""
    x, y = face.centre
    size = face.box.width
    width, height = size_of(picture)
    left, top = max(0, int(x - MARGIN * size)), max(0, int(y - MARGIN * size))
    right, bottom = min(width, int(x + MARGIN * size) + 1), min(height, int(y + (MARGIN + 0.3) * size) + 1)
    return Box(x=left, y=top, width=max(1, right - left), height=max(1, bottom - top))


def _mouth_in(part: Image, box: Box, face: Face) -> MouthLandmarks | None:
    """The mouth in a part of a picture, in pixels of the whole."""
    mouth = locate_mouth(part, face.shifted(-box.x, -box.y))
    if mouth is None:
        return None
    x, y = mouth.centre_px
    return replace(mouth, centre_px=(x + box.x, y + box.y))


def _doubt(poses: Poses) -> str:
    """Why a whole shot cannot be animated; empty when it can."""
    if len(poses.transforms) < SHORTEST_SHOT_FRAMES:
        return "the face is seen too shortly"
    seen = [look.mouth for look in poses.looks if look.mouth is not None]
    closed = [mouth for mouth in seen if mouth.gap == 0]
    if poses.has_a_mouth and (_mostly_sure(seen) or (len(closed) > 1 and _mostly_sure(closed))):
        return ""
    doubts = [mouth.doubt for mouth in seen if mouth.doubt]
    return max(doubts, key=doubts.count) if doubts else "the mouth is not found"


def _mostly_sure(mouths: list[MouthLandmarks]) -> bool:
    return sum(mouth.is_sure for mouth in mouths) * 2 >= len(mouths)
