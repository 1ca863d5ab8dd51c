"""Follow one face through the frames of a video: a similarity transform per frame, by corners of the upper face.

Corners are followed from a key frame, not from frame to frame, so that errors do not add up; a new key is taken when
the face has grown, shrunk or rolled. Not here: turning of the head (a similarity cannot express it; it shows as a
face that the detector no longer finds), nor the mouth.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.faces import Choice, Face, FindFaces, Image, choose_face, find_faces
from providers._media.planar import Planar, planes, region, size_of

Transform = npt.NDArray[np.float64]
Points = npt.NDArray[np.float32]

LOOK_EVERY_FRAMES = 5
MAX_CORNERS = 80
MIN_CORNERS = 10
MIN_AGREEING_SHARE = 0.45
UPPER_FACE = (0.10, 0.06, 0.90, 0.64)  # left, top, right, bottom in shares of the face's box: no lips, no jaw
NEW_KEY_SCALE, NEW_KEY_ROLL_DEGREES = 0.10, 6.0
BACK_AND_FORTH_PX = 1.0
FLOW_ENDS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 0.02)  # steps, pixels
FLOW_REACH_PX = 64  # of tracking pixels: further than that no head moves between two frames
SAME_FACE_DISTANCE = 0.4  # of the face's width
SAME_PERSON_DISTANCE = 0.8  # of the face's width, from where it was last seen
DOUBTED_LOOKS = 3  # without a face where the track is: then the whole picture is searched
LOOK_REACH = 1.1  # of the face's width, around its expected centre
LOOK_FACE_PX = 100  # where a face is expected it need not be large: a quarter of the time, and found as often
TRACKING_LONG_SIDE_PX = 720
EMPTY_LOOKS = 3  # in a row; each of a picture without a face costs as much as following one for hundreds of frames
RARELY_LOOK_FRAMES = 25
THUMBNAIL_PX = (32, 18)
SAME_PICTURE_LEVELS = 2.0  # mean of the thumbnails' differences; of noise and compression it is below 0.5


@dataclass(frozen=True)
class Track:
    """Where the face is in one frame.

    ``shot`` counts the stretches in which one face is followed without a break, from 0; -1 while there is none.
    ``transform`` (2, 3) maps pixels of the shot's first frame to pixels of this one. ``face`` is what the detector
    saw, in the frames in which it looked; ``looked`` tells those.
    """

    shot: int
    transform: Transform | None
    agreement: float
    """Share of the corners that move as one, 0..1."""
    looked: bool
    face: Face | None


@dataclass(frozen=True)
class _Key:
    gray: Image
    corners: Points
    transform: Transform  # from the shot's first frame to this key, in tracking pixels


@dataclass(frozen=True)
class _View:
    """One frame, BGR or planar."""

    gray: Image
    size: tuple[int, int]  # width, height
    part: Callable[[Box], Image]
    """What a box inside of the frame shows, BGR; not to be changed."""

    @property
    def whole(self) -> Box:
        return Box(x=0, y=0, width=self.size[0], height=self.size[1])

    @classmethod
    def of_bgr(cls, bgr: Image) -> "_View":
        def part(box: Box) -> Image:
            return np.ascontiguousarray(bgr[box.y : box.y + box.height, box.x : box.x + box.width])

        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        return cls(gray, (bgr.shape[1], bgr.shape[0]), part)

    @classmethod
    def of_planar(cls, picture: Planar) -> "_View":
        return cls(planes(picture)[0], size_of(picture), lambda box: region(picture, box))


class FaceTracker:
    """Feed frames in order of time. ``speaker`` picks a face from the left where several are seen, else ``choice``.

    Whom it follows is chosen once: after a break the nearest face is taken up, chosen anew only where none is near.
    """

    def __init__(self, speaker: int | None = None, *, choice: Choice = "largest", find: FindFaces = find_faces) -> None:
        self._speaker = speaker
        self._choice: Choice = choice
        self._find = find
        self._missed_looks = 0
        self._last_seen: Face | None = None
        self._count = 0
        self._empty_looks = 0
        self._empty: tuple[int, Image] | None = None
        """The last frame in which nobody was seen, and its thumbnail."""
        self._shot = -1
        self._scale = 1.0
        self._first_face: Face | None = None
        self._key: _Key | None = None
        self._last: Transform | None = None

    def update(self, bgr: Image) -> Track:
        """The face in the next frame, uint8 (H, W, 3) of one size."""
        return self._update(_View.of_bgr(bgr))

    def update_planar(self, picture: Planar) -> Track:
        """The same for a planar frame, of which only what is looked at is converted."""
        return self._update(_View.of_planar(picture))

    def _update(self, view: "_View") -> Track:
        self._scale = min(1.0, TRACKING_LONG_SIDE_PX / max(view.size))
        gray = self._smaller(view.gray)
        look = self._count % LOOK_EVERY_FRAMES == 0
        self._count += 1
        followed = self._follow(gray)
        if followed is not None:
            transform, agreement = followed
            face = self._look_again(view, transform) if look else None
            if look:
                self._missed_looks = 0 if face is not None else self._missed_looks + 1
            if self._missed_looks >= DOUBTED_LOOKS and look:
                elsewhere = self._begin(view, gray)
                if elsewhere.transform is not None:
                    return elsewhere
            self._last_seen = face or self._last_seen
            return Track(self._shot, self._full_size(transform), agreement, look, face)
        self._key = None
        if not look or self._is_as_empty(gray):
            return Track(-1, None, 0.0, False, None)
        track = self._begin(view, gray)
        self._empty_looks = self._empty_looks + 1 if track.face is None else 0
        self._empty = (self._count, _thumbnail(gray)) if track.face is None else None
        return track

    def _is_as_empty(self, gray: Image) -> bool:
        """Whether nobody was seen for some looks, and in much the same picture a moment ago: then looking can wait."""
        if self._empty is None or self._empty_looks < EMPTY_LOOKS:
            return False
        looked_at, before = self._empty
        is_recent = self._count - looked_at < RARELY_LOOK_FRAMES
        return is_recent and float(np.mean(cv2.absdiff(before, _thumbnail(gray)))) < SAME_PICTURE_LEVELS

    def _smaller(self, gray: Image) -> Image:
        if self._scale == 1:
            return gray.copy()
        return np.asarray(cv2.resize(gray, None, fx=self._scale, fy=self._scale), np.uint8)

    def _begin(self, view: "_View", gray: Image) -> Track:
        """Start a shot where a face is seen."""
        face = self._chosen(self._find(view.part(view.whole)), view.size)
        if face is None:
            return Track(-1, None, 0.0, True, None)
        identity = np.eye(2, 3)
        key = self._new_key(gray, face, identity)
        if key is None:
            return Track(-1, None, 0.0, True, face)
        self._shot += 1
        self._missed_looks = 0
        self._first_face, self._key, self._last, self._last_seen = face, key, identity, face
        return Track(self._shot, identity, 1.0, True, face)

    def _chosen(self, faces: list[Face], size: tuple[int, int]) -> Face | None:
        """The one that was followed before, when it is near; else as the speaker or the choice says."""
        before = self._last_seen
        if before is not None and self._shot >= 0:
            reach = SAME_PERSON_DISTANCE * before.box.width
            near = [face for face in faces if math.dist(face.centre, before.centre) < reach]
            if near:
                return min(near, key=lambda face: math.dist(face.centre, before.centre))
        return choose_face(faces, self._speaker, self._choice, size)

    def _follow(self, gray: Image) -> tuple[Transform, float] | None:
        """The transform from the shot's first frame, tracking pixels, and the agreement; None when lost."""
        key, last, face = self._key, self._last, self._first_face
        if key is None or last is None or face is None:
            return None
        from_key = compose(last, inverse(key.transform))
        guess = np.asarray(cv2.transform(key.corners[:, None], from_key)[:, 0], np.float32)
        found, agreement = _moved(key.gray, gray, key.corners, guess)
        if found is None:
            return None
        transform = compose(found, key.transform)
        self._last = transform
        if _has_changed(found) or agreement < 0.7:
            self._key = self._new_key(gray, face, transform) or key
        return transform, agreement

    def _new_key(self, gray: Image, first_face: Face, transform: Transform) -> _Key | None:
        """Corners of the upper face in this frame; None when there are too few."""
        left, top, right, bottom = UPPER_FACE
        outline = np.array(
            [first_face.point(*place) for place in ((left, top), (right, top), (right, bottom), (left, bottom))]
        )
        outline = cv2.transform(outline[:, None] * self._scale, transform)[:, 0]
        mask = np.zeros(gray.shape, np.uint8)
        cv2.fillConvexPoly(mask, np.round(outline).astype(np.int32), 255)
        found = cast(Points | None, cv2.goodFeaturesToTrack(gray, MAX_CORNERS, 0.01, 4, mask=mask))  # None when flat
        if found is None or len(found) < MIN_CORNERS:
            return None
        return _Key(gray, np.asarray(found[:, 0], np.float32), transform)

    def _look_again(self, view: "_View", transform: Transform) -> Face | None:
        """The detector's face nearest to where the track says it is; None when there is none."""
        if self._first_face is None:
            return None
        x, y = cv2.transform(np.array([[self._first_face.centre]]), self._full_size(transform))[0, 0]
        size = self._first_face.box.width * scale_of(transform)
        roll = self._first_face.roll_degrees + roll_of(transform)
        left, top = (max(0, int(place - LOOK_REACH * size)) for place in (x, y))
        right = min(view.size[0], int(x + LOOK_REACH * size) + 1)
        bottom = min(view.size[1], int(y + LOOK_REACH * size) + 1)
        if min(right - left, bottom - top) < 2:
            return None
        part = view.part(Box(x=left, y=top, width=right - left, height=bottom - top))
        scale = min(1.0, LOOK_FACE_PX / size)
        if scale < 1:
            part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        side = max(1, round(size * scale))
        expected = Face(Box(x=0, y=0, width=side, height=side), roll, self._first_face.confidence)
        faces = [face.scaled(1 / scale).shifted(left, top) for face in self._find(part, expected)]
        near = [face for face in faces if math.dist(face.centre, (x, y)) < SAME_FACE_DISTANCE * size]
        return min(near, key=lambda face: math.dist(face.centre, (x, y)), default=None)

    def _full_size(self, transform: Transform) -> Transform:
        return np.hstack([transform[:, :2], transform[:, 2:] / self._scale])


def _thumbnail(gray: Image) -> Image:
    return np.asarray(cv2.resize(gray, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.uint8)


def _moved(before: Image, after: Image, corners: Points, guess: Points) -> tuple[Transform | None, float]:
    """The similarity that most corners follow from one picture to another, and their share.

    Only what is around the corners is looked at: the pyramids of whole pictures would cost more than the rest.
    """
    height, width = after.shape
    both = np.concatenate([corners, guess])
    origin = np.clip(both.min(axis=0) - FLOW_REACH_PX, 0, (width - 2, height - 2)).astype(np.float32).round()
    end = np.clip(both.max(axis=0) + FLOW_REACH_PX, origin + 2, (width, height))
    part = slice(int(origin[1]), int(end[1])), slice(int(origin[0]), int(end[0]))
    before, after, corners, guess = before[part], after[part], corners - origin, guess - origin
    moved = _flow(before, after, corners, guess)
    back = _flow(after, before, moved[0], corners)
    apart = np.linalg.norm(back[0] - corners, axis=1)
    good = moved[1] & back[1] & (apart < BACK_AND_FORTH_PX)
    if np.count_nonzero(good) < MIN_CORNERS:
        return None, 0.0
    found, agreeing = cv2.estimateAffinePartial2D(
        corners[good] + origin, moved[0][good] + origin, ransacReprojThreshold=1.5
    )
    share = float(np.count_nonzero(agreeing)) / len(corners)
    return (np.asarray(found, np.float64), share) if share >= MIN_AGREEING_SHARE else (None, share)


def _flow(before: Image, after: Image, corners: Points, guess: Points) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Where the corners went, from a guess, and which were found again."""
    moved, seen, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        corners[:, None],
        guess[:, None].copy(),
        winSize=(21, 21),
        maxLevel=3,
        criteria=FLOW_ENDS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(moved[:, 0], np.float32), np.asarray(seen[:, 0] == 1, np.bool_)


def _has_changed(transform: Transform) -> bool:
    return abs(scale_of(transform) - 1) > NEW_KEY_SCALE or abs(roll_of(transform)) > NEW_KEY_ROLL_DEGREES


def roll_of(transform: Transform) -> float:
    """Degrees, clockwise positive."""
    return math.degrees(math.atan2(transform[1, 0], transform[0, 0]))


def scale_of(transform: Transform) -> float:
    return math.hypot(float(transform[0, 0]), float(transform[1, 0]))


def compose(outer: Transform, inner: Transform) -> Transform:
    """The transform that does ``inner`` first, then ``outer``."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.hstack([linear, outer[:, :2] @ inner[:, 2:] + outer[:, 2:]])


def inverse(transform: Transform) -> Transform:
    return np.asarray(cv2.invertAffineTransform(transform), np.float64)
