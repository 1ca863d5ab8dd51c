"""Where the face is in a video, looked for a few times a second and not followed: enough to judge a finished video.

What was seen is kept as a face track under the video's content, so that a second review searches nothing. Not here:
following from frame to frame (``face_tracks``), which of the faces is meant (``mouth_places``).
"""

import hashlib
import json
from dataclasses import dataclass

from contracts.artifacts import ArtifactRef
from contracts.context import ArtifactClient
from contracts.faces import FaceOptions, FaceSeen, FaceTrack
from providers._media.face_detectors import Models, checked_file, detector, digest_of, placed_boxes
from providers._media.face_tracks import keep_track, kept_track
from providers._media.faces import Face, FindFaces, Image
from providers._media.placed_faces import box_at, face_of, from_to

VERSION = 3
"""Of what is kept; counts when other faces would be seen."""


@dataclass(frozen=True)
class _Sight:
    time_seconds: float
    face: Face | None


class FaceLooks:
    """Call it with frames of the video, in order of time: the faces seen, the one that is meant alone where known."""

    def __init__(
        self, video: ArtifactRef, artifacts: ArtifactClient, options: FaceOptions, models: Models, size: tuple[int, int]
    ) -> None:
        """
        Args:
            size: of the video's picture, (width, height), in whose pixels a placed box counts.

        Raises:
            ProviderUnavailable: the detector's file is missing, or no such file.
            ProviderRejected: a placed box lies outside of the picture.
        """
        self._artifacts = artifacts
        self._options = options
        self._models = models
        self._placed = placed_boxes(options, models, size)
        self._find: FindFaces | None = None
        self._sights: list[_Sight] = []
        self._size = (0, 0)
        file = digest_of(checked_file(options, models)) if options.detector == "yunet" else None
        spec = json.dumps([options.detector, options.choose, file])
        digest = hashlib.sha256(spec.encode()).hexdigest()[:16]
        self._key = f"{video.digest}/face-track/looks-{VERSION}/{digest}"
        self._known: dict[float, tuple[FaceTrack, FaceSeen]] | None = None

    def __call__(self, time_seconds: float, bgr: Image) -> list[Face]:
        """All faces, largest first; uint8 (H, W, 3)."""
        if self._placed is not None:
            box = box_at(self._placed, time_seconds)
            return [] if box is None else [face_of(box).scaled(bgr.shape[1] / self._placed.width)]
        track, sight = self._seen_before().get(_moment(time_seconds), (None, None))
        if track is not None and sight is not None and (track.width, track.height) == bgr.shape[1::-1]:
            return [] if sight.box is None else [Face(sight.box, sight.roll_degrees, sight.confidence)]
        if self._find is None:
            self._find = detector(self._options, self._models)
        return [_as_kept(face) for face in self._find(bgr)]

    @property
    def is_placed(self) -> bool:
        """Somebody said where the face is; nothing is looked for."""
        return self._placed is not None

    def settle(self, time_seconds: float, face: Face | None, bgr: Image) -> None:
        """The face that is meant of those that were seen then."""
        self._size = (bgr.shape[1], bgr.shape[0])
        self._sights.append(_Sight(time_seconds, face))

    def keep(self) -> None:
        """All looks were taken: keep what was searched for."""
        if self._find is None or not self._sights:
            return
        first = next((sight.face for sight in self._sights if sight.face is not None), None)
        faces = [sight.face for sight in self._sights]
        track = FaceTrack(
            width=self._size[0],
            height=self._size[1],
            detector=self._options.detector,
            is_whole=True,
            times_seconds=tuple(_moment(sight.time_seconds) for sight in self._sights),
            end_seconds=self._sights[-1].time_seconds,
            shots=tuple(-1 if face is None else 0 for face in faces),
            transforms=tuple(None if not face or not first else from_to(first.box, face.box) for face in faces),
            agreements=tuple(float(face is not None) for face in faces),
            seen=tuple(_seen(place, face) for place, face in enumerate(faces)),
        )
        keep_track(self._artifacts, self._key, track)

    def _seen_before(self) -> dict[float, tuple[FaceTrack, FaceSeen]]:
        if self._known is None:
            track = kept_track(self._artifacts, self._key)
            seen = track.seen if track is not None else ()
            self._known = {track.times_seconds[sight.frame]: (track, sight) for sight in seen if track is not None}
        return self._known


def _moment(time_seconds: float) -> float:
    return round(time_seconds, 4)


def _as_kept(face: Face) -> Face:
    """As it will be read again, so that the first review and the second say the same."""
    return Face(face.box, round(face.roll_degrees, 3), face.confidence)


def _seen(place: int, face: Face | None) -> FaceSeen:
    if face is None:
        return FaceSeen(frame=place, box=None)
    return FaceSeen(frame=place, box=face.box, roll_degrees=face.roll_degrees, confidence=face.confidence)
