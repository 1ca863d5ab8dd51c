"""A video's face track: made once, kept under the video's content, and read by whoever works on that face.

Not here: following (``face_tracking``), how a face is found (``face_detectors``).
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from contracts.artifacts import ArtifactRef, Box
from contracts.context import ArtifactClient
from contracts.errors import ArtifactCorrupt, ArtifactMissing, ContractViolation
from contracts.faces import FaceOptions, FaceSeen, FaceTrack, Similarity
from providers._media.face_detectors import Models, checked_file, detector, digest_of, placed_boxes
from providers._media.face_tracking import FaceTracker, Track, Transform
from providers._media.faces import Face
from providers._media.frames import Timed, at_rate, read_planar_frames, read_timed_planar_frames
from providers._media.placed_faces import placed_track
from providers._media.planar import Planar, size_of
from providers._media.stages import FRAMES_BETWEEN, read_ahead

VERSION = 3
"""Of what is kept; counts when a track would come out otherwise."""
LONG_SIDE_PX = 1280
ENOUGH_SECONDS = 0.5  # beyond what is needed, so that the last slot has a frame
_SAME_MOMENT_SECONDS = 1e-6

OnSecond = Callable[[float], None]
Watch = Callable[[Timed[Planar], Track], None]
"""Called with every frame while its track is made, exactly as ``tracks_beside`` will give it again."""


def face_track(
    video: ArtifactRef,
    artifacts: ArtifactClient,
    options: FaceOptions,
    models: Models,
    *,
    speaker: int | None,
    seconds: float,
    long_side: int | None = None,
    on_second: OnSecond,
    watch: Watch | None = None,
) -> FaceTrack:
    """The face of ``video``; at least ``seconds`` of it. Found again, or made and kept; or as somebody placed it.

    Args:
        long_side: of the delivered picture at most, in whose pixels a placed box counts; None: the video's own.
        on_second: called while it is made, with the seconds that are done.
        watch: spares its owner a pass over a video that is decoded here; not called for a track that is there already.

    Raises:
        ProviderUnavailable: the detector's file is missing or no such network.
        ProviderRejected: the video cannot be read, or a placed box lies outside of it.
    """
    if options.detector in {"box", "box_track"}:
        size = size_of(next(read_planar_frames(artifacts.fetch(video), max_long_side=long_side)).picture)
        boxes = placed_boxes(options, models, size)
        if boxes is not None:
            return placed_track(boxes, options.detector, seconds)
    key = f"{video.digest}/face-track/{VERSION}/{_spec(options, models, speaker)}"
    kept = kept_track(artifacts, key)
    if kept is not None and (kept.is_whole or kept.end_seconds >= seconds):
        return kept
    tracker = FaceTracker(speaker, choice=options.choose, find=detector(options, models))
    until = seconds + ENOUGH_SECONDS
    track = _followed(artifacts.fetch(video), tracker, options.detector, until, on_second, watch)
    keep_track(artifacts, key, track)
    return track


def keep_track(artifacts: ArtifactClient, key: str, track: FaceTrack) -> None:
    """As an artifact of its own, under a key that says of which video it is and how it was made."""
    made = artifacts.put(io.BytesIO(track.model_dump_json().encode()), "application/json", {"derived": "face track"})
    artifacts.name(key, made)


def kept_track(artifacts: ArtifactClient, key: str) -> FaceTrack | None:
    """What was found before; None also where it is gone or damaged."""
    ref = artifacts.named(key)
    if ref is None:
        return None
    try:
        with artifacts.open(ref) as stream:
            return FaceTrack.parse_json(stream.read())
    except (ArtifactMissing, ArtifactCorrupt, ContractViolation):
        return None


def tracks_at(track: FaceTrack, fps: float, width: int) -> Iterator[Track]:
    """What the tracker said, at a constant rate and in pixels of a picture of another width; ends with the track."""
    last: Track | None = None
    for _, row in at_rate(_rows(track, width), fps):
        yield row if row is not last else _shown_again(row)
        last = row


def tracks_beside(track: FaceTrack, frames: Iterable[Timed[Planar]]) -> Iterator[tuple[Timed[Planar], Track]]:
    """The video's own frames, each with what the tracker said of it, in the frame's pixels."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return
    rows = _rows(track, size_of(first.value)[0])
    held, following = next(rows), next(rows, None)
    said: Timed[Track] | None = None
    for frame in chain([first], frames):
        while following is not None and following.time_seconds <= frame.time_seconds + _SAME_MOMENT_SECONDS:
            held, following = following, next(rows, None)
        yield frame, held.value if held is not said else _shown_again(held.value)
        said = held


def _shown_again(track: Track) -> Track:
    """Not looked at again."""
    return replace(track, looked=False, face=None)


def _rows(track: FaceTrack, width: int) -> Iterator[Timed[Track]]:
    scale = width / track.width
    seen = {sight.frame: sight for sight in track.seen}
    ends = (*track.times_seconds[1:], track.end_seconds)
    rows = zip(track.times_seconds, ends, track.shots, track.transforms, track.agreements, strict=True)
    for index, (time_seconds, end, shot, transform, agreement) in enumerate(rows):
        yield Timed(time_seconds, end, _track(shot, transform, agreement, seen.get(index), scale))


def _track(
    shot: int, transform: Similarity | None, agreement: float, sight: FaceSeen | None, scale: float = 1.0
) -> Track:
    face = _scaled(sight, scale) if sight is not None else None
    return Track(shot, None if transform is None else _matrix(transform, scale), agreement, sight is not None, face)


def _matrix(transform: Similarity, scale: float) -> Transform:
    matrix = np.array(transform, np.float64).reshape(2, 3)
    matrix[:, 2] *= scale
    return matrix


def _scaled(sight: FaceSeen, scale: float) -> Face | None:
    if sight.box is None:
        return None
    box = sight.box
    x, y, width, height = (round(value * scale) for value in (box.x, box.y, box.width, box.height))
    return Face(Box(x=x, y=y, width=max(1, width), height=max(1, height)), sight.roll_degrees, sight.confidence)


def _followed(
    video: Path, tracker: FaceTracker, detector_name: str, until: float, on_second: OnSecond, watch: Watch | None
) -> FaceTrack:
    times: list[float] = []
    shots: list[int] = []
    transforms: list[Similarity | None] = []
    agreements: list[float] = []
    seen: list[FaceSeen] = []
    width = height = 0
    is_whole = True
    end = 0.0
    with closing(read_ahead(read_timed_planar_frames(video, max_long_side=LONG_SIDE_PX), FRAMES_BETWEEN)) as frames:
        for frame in frames:
            if frame.time_seconds > until:
                is_whole = False
                break
            width, height = size_of(frame.value)
            track = tracker.update_planar(frame.value)
            times.append(frame.time_seconds)
            end = frame.end_seconds_exclusive
            shots.append(track.shot)
            transforms.append(None if track.transform is None else _numbers(track.transform))
            agreements.append(round(track.agreement, 3))
            sight = _sight(len(times) - 1, track.face) if track.looked else None
            if sight is not None:
                seen.append(sight)
            if watch is not None:
                watch(frame, _track(shots[-1], transforms[-1], agreements[-1], sight))
            on_second(frame.time_seconds)
    return FaceTrack(
        width=width,
        height=height,
        detector=detector_name,
        is_whole=is_whole,
        times_seconds=tuple(times),
        end_seconds=end,
        shots=tuple(shots),
        transforms=tuple(transforms),
        agreements=tuple(agreements),
        seen=tuple(seen),
    )


def _numbers(transform: Transform) -> Similarity:
    a, b, c, d, e, f = (round(float(value), 6) for value in transform.ravel())
    return a, b, c, d, e, f


def _sight(frame: int, face: Face | None) -> FaceSeen:
    if face is None:
        return FaceSeen(frame=frame, box=None)
    return FaceSeen(frame=frame, box=face.box, roll_degrees=round(face.roll_degrees, 3), confidence=face.confidence)


def _spec(options: FaceOptions, models: Models, speaker: int | None) -> str:
    """All that decides what comes out, besides the video."""
    file = digest_of(checked_file(options, models)) if options.detector == "yunet" else None
    spec = [options.detector, options.choose, file, speaker, LONG_SIDE_PX]
    return hashlib.sha256(json.dumps(spec).encode()).hexdigest()[:16]
