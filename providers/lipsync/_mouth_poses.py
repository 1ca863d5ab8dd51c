"""From which picture of the mouth each frame of a shot is rendered, and where it goes: a reference for each pose.

The track follows the upper face; a head that turns takes its mouth further than that. Each look tells how far beside
the track the mouth is. Looks with the mouth in about the same place are one pose of the head; from one pose to the next
the references are blended. In a pose the mouth is anchored where it is seen, as far as that is more than noise.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.face_tracking import LOOK_EVERY_FRAMES, Transform, compose, inverse, scale_of
from providers._media.faces import Image
from providers._media.mouth_landmarks import MouthLandmarks

POSE_STEP = 0.35  # half widths across; a turn of 25 degrees takes the mouth about 0.6 beside the upper face
MOST_POSES_EACH_SIDE = 3
ONE_POSE = 0.25  # half widths; nearer references are good for each other's frames
LEAST_LOOKS = 3  # a pose that is seen less often may be a mistake
MAX_BESIDE_REFERENCE = 0.45  # half widths; no reference is good for a pose further away
SWITCH_GAIN = 0.12  # half widths that another reference must be nearer, or noise would switch to and fro
BLEND_FRAMES = 3  # on either side of a switch
VOTERS_EACH_SIDE = 2  # looks, in the median that tells where the mouth is
NOISE = 0.12  # half widths; within it the track is the better measure
MAX_JUMP = 0.3  # half widths from one look to the next: in between nobody knows
MAX_APART = 0.35  # half widths between a mouth and what its neighbours say: it is another one, or a mistake
MAX_ODD_SIZE = 0.30
MAX_MISSED_LOOKS = 2  # no frontal face with a clear mouth this often in a row: the head is turned or covered
SMOOTH_FRAMES = 0.8

TURNED = "the face is turned, or its track is lost"

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """The mouth that frames are rendered from: a copy of its surroundings, landmarks in that copy's pixels."""

    bgr: Image
    mouth: MouthLandmarks


@dataclass(frozen=True)
class View:
    """One reference in one frame."""

    reference: int
    transform: Transform
    """From the reference's pixels to the frame's."""
    weight: float = 1.0
    """0..1, over the views before it."""


@dataclass(frozen=True)
class Look:
    """What the detector saw ``offset`` frames after the shot's first; the mouth in that frame's pixels."""

    offset: int
    mouth: MouthLandmarks | None


@dataclass(frozen=True)
class Plan:
    """How a shot is rendered: per frame its views, or the doubt that speaks against any."""

    references: tuple[Reference, ...]
    views: list[tuple[View, ...]]
    doubts: list[str]


@dataclass(frozen=True)
class _Candidate:
    """The best picture of a pose so far."""

    offset: int
    box: Box
    picture: Image
    mouth: MouthLandmarks

    @property
    def cost(self) -> float:
        """Lower is better to work from: closed lips, then a sure contour."""
        return self.mouth.gap + self.mouth.parting - 0.2 * self.mouth.confidence


@dataclass
class Poses:
    """The mouths seen in a shot while its frames come in: ``transforms`` from its first frame, and ``looks``."""

    transforms: list[Transform] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    _axes: "_Axes | None" = None
    _kept: dict[int, _Candidate] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    @property
    def has_a_mouth(self) -> bool:
        """There is one to work from."""
        return bool(self._kept)

    def miss(self) -> None:
        """No mouth is seen in the frame of the newest transform."""
        self.looks.append(Look(len(self.transforms) - 1, None))

    def look(self, mouth: MouthLandmarks, box: Box, picture: Image) -> None:
        """A mouth in that frame; ``picture`` is what the frame's ``box`` shows."""
        offset = len(self.transforms) - 1
        self.looks.append(Look(offset, mouth))
        if not mouth.is_sure:
            return
        if self._axes is None:
            self._axes = _Axes.of(mouth, self.transforms[-1])
        pose = round(float(self._axes.place(mouth, self.transforms[-1])[0]) / POSE_STEP)
        if abs(pose) > MOST_POSES_EACH_SIDE:
            return
        found = _Candidate(offset, box, picture, mouth)
        self._counts[pose] = self._counts.get(pose, 0) + 1
        if pose not in self._kept or found.cost < self._kept[pose].cost:
            self._kept[pose] = found

    def plan(self) -> Plan:
        """Call it at the end, when there is a mouth."""
        axes = self._axes
        if axes is None:
            raise ValueError("expected a mouth to work from")
        sure = [look for look in self.looks if look.mouth is not None and look.mouth.is_sure]
        places = np.array([axes.place(look.mouth, self.transforms[look.offset]) for look in sure if look.mouth])
        offsets = np.array([look.offset for look in sure])
        steady = _voted(places)
        chosen = _distinct(self._candidates(), offsets, steady)
        centres = np.array([steady[_position(candidate, offsets)] for candidate in chosen])
        used = _used(steady, centres)
        doubts = self._doubts(sure, places, steady, centres[used])
        views = self._views(axes, chosen, offsets, _eased(steady), used)
        return Plan(tuple(_reference(candidate) for candidate in chosen), views, doubts)

    def _candidates(self) -> list[_Candidate]:
        often = [pose for pose, count in self._counts.items() if count >= LEAST_LOOKS]
        return [self._kept[pose] for pose in often or [max(self._counts, key=lambda pose: self._counts[pose])]]

    def _views(
        self,
        axes: "_Axes",
        chosen: list[_Candidate],
        offsets: npt.NDArray[np.intp],
        eased: Points,
        used: npt.NDArray[np.intp],
    ) -> list[tuple[View, ...]]:
        frames = np.arange(len(self.transforms))
        seen = np.stack([np.interp(frames, offsets, eased[:, axis]) for axis in (0, 1)], axis=1)
        centres = [eased[_position(candidate, offsets)] for candidate in chosen]
        nearest_look = np.searchsorted((offsets[1:] + offsets[:-1]) / 2, frames)
        reference = used[nearest_look]
        from_pictures = [
            compose(inverse(self.transforms[found.offset]), np.array([[1.0, 0, found.box.x], [0, 1.0, found.box.y]]))
            for found in chosen
        ]
        tracks = _smoothed(np.array(self.transforms))

        def view(frame: int, of: int, weight: float = 1.0) -> View:
            moved = axes.shift(_beyond_noise(seen[frame] - centres[of]))
            return View(int(of), compose(compose(tracks[frame], moved), from_pictures[of]), weight)

        views: list[tuple[View, ...]] = [(view(frame, of),) for frame, of in enumerate(reference)]
        for switch in np.flatnonzero(np.diff(reference)) + 1:
            before, after = int(reference[switch - 1]), int(reference[switch])
            for frame in range(max(0, switch - BLEND_FRAMES), min(len(views), switch + BLEND_FRAMES)):
                share = (frame - switch + BLEND_FRAMES + 0.5) / (2 * BLEND_FRAMES)
                views[frame] = (view(frame, before), view(frame, after, share))
        return views

    def _doubts(self, sure: list[Look], places: Points, steady: Points, centres: Points) -> list[str]:
        """A reason per frame: no clear mouth for a while, or it is not where track and references say."""
        doubts = [""] * len(self.transforms)
        missed: list[int] = []
        for look in self.looks:
            if look.mouth is None or not (look.mouth.is_sure or look.mouth.is_wide_open):
                missed.append(look.offset)
                if len(missed) >= MAX_MISSED_LOOKS:
                    _mark(doubts, missed[0], look.offset, "the face is turned or covered")
            else:
                missed.clear()
        sizes = np.array(
            [look.mouth.half_width_px / scale_of(self.transforms[look.offset]) for look in sure if look.mouth]
        )
        odd = MAX_ODD_SIZE * np.abs(sizes / np.median(sizes) - 1)
        alone = np.linalg.norm(places - steady, axis=1) > MAX_APART + odd
        beside = np.linalg.norm(steady - centres, axis=1) > MAX_BESIDE_REFERENCE + odd
        for place in np.flatnonzero(alone | beside):
            _mark(doubts, sure[place].offset, sure[place].offset, TURNED)
        for place in np.flatnonzero(np.linalg.norm(np.diff(steady, axis=0), axis=1) > MAX_JUMP):
            for frame in range(sure[place].offset + 1, sure[place + 1].offset):
                doubts[frame] = TURNED
        return doubts


@dataclass(frozen=True)
class _Axes:
    """Half widths across and down, of the first mouth seen in a shot, in the pixels of the shot's first frame."""

    origin: Points
    turn: Points  # (2, 2): from half widths to pixels

    @classmethod
    def of(cls, mouth: MouthLandmarks, transform: Transform) -> "_Axes":
        back = inverse(transform)
        roll = math.radians(mouth.roll_degrees) + math.atan2(back[1, 0], back[0, 0])
        cos, sin = math.cos(roll), math.sin(roll)
        size = mouth.half_width_px * scale_of(back)
        return cls(_moved(back, mouth), size * np.array([[cos, -sin], [sin, cos]]))

    def place(self, mouth: MouthLandmarks, transform: Transform) -> Points:
        """(across, down) of the mouth beside the track, from where the first one was."""
        beside = np.linalg.solve(self.turn, _moved(inverse(transform), mouth) - self.origin)
        return np.asarray(beside, np.float64)

    def shift(self, by: Points) -> Transform:
        """That moves so many half widths across and down."""
        return np.hstack([np.eye(2), (self.turn @ by)[:, None]])


def _moved(transform: Transform, mouth: MouthLandmarks) -> Points:
    return transform[:, :2] @ np.array(mouth.centre_px) + transform[:, 2]


def _voted(places: Points) -> Points:
    """Each one as its neighbours see it, (n, 2)."""
    reach = VOTERS_EACH_SIDE
    around = [places[max(0, place - reach) : place + reach + 1] for place in range(len(places))]
    return np.array([np.median(some, axis=0) for some in around])


def _eased(steady: Points) -> Points:
    """Means of three, (n, 2): what is seen trembles from look to look."""
    padded = np.concatenate([steady[:1], steady, steady[-1:]])
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)


def _distinct(candidates: list[_Candidate], offsets: npt.NDArray[np.intp], steady: Points) -> list[_Candidate]:
    """The best ones, in order of time; of two for nearly the same pose only the better."""
    chosen: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda found: (found.cost, found.offset)):
        place = steady[_position(candidate, offsets)]
        if all(np.linalg.norm(place - steady[_position(other, offsets)]) > ONE_POSE for other in chosen):
            chosen.append(candidate)
    return sorted(chosen, key=lambda found: found.offset)


def _position(candidate: _Candidate, offsets: npt.NDArray[np.intp]) -> int:
    """Of the candidate's look among the sure ones."""
    return int(np.searchsorted(offsets, candidate.offset))


def _used(steady: Points, centres: Points) -> npt.NDArray[np.intp]:
    """For each look the reference; another one only when it is clearly nearer."""
    apart = np.linalg.norm(steady[:, None] - centres[None], axis=2)
    used = np.empty(len(steady), np.intp)
    held = int(np.argmin(apart[0]))
    for place, distances in enumerate(apart):
        nearest = int(np.argmin(distances))
        if distances[nearest] < distances[held] - SWITCH_GAIN:
            held = nearest
        used[place] = held
    return used


def _beyond_noise(beside: Points) -> Points:
    distance = float(np.linalg.norm(beside))
    return beside * max(0.0, 1 - NOISE / distance) if distance > 0 else beside


def _reference(found: _Candidate) -> Reference:
    x, y = found.mouth.centre_px
    return Reference(found.picture, replace(found.mouth, centre_px=(x - found.box.x, y - found.box.y)))


def _mark(doubts: list[str], first: int, last: int, reason: str) -> None:
    """The reason holds from halfway to the look before until halfway to the one after."""
    half = LOOK_EVERY_FRAMES - 1
    for offset in range(max(0, first - half), min(len(doubts), last + half + 1)):
        doubts[offset] = reason


def _smoothed(transforms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Gaussian over time, (n, 2, 3): what trembles is the measurement, not the head."""
    reach = 3
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH_FRAMES) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([transforms[:1]] * reach + [transforms] + [transforms[-1:]] * reach)
    return np.asarray(sum(weight * padded[step : step + len(transforms)] for step, weight in enumerate(kernel)))
