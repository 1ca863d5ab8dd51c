"""The pictures of a request in the order of the output, and for each the face's box or why it has none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from contracts.artifacts import Box
from contracts.context import ProviderContext
from contracts.faces import BoxTrack
from contracts.lipsync import LipSyncRequest
from providers._media.face_detectors import detector, placed_boxes
from providers._media.face_tracks import face_track, tracks_at
from providers._media.faces import Image, choose_face
from providers._media.frames import read_frames, read_picture, read_planar_frames
from providers._media.placed_faces import box_at
from providers._media.planar import Planar, planar
from providers.lipsync._mouth_pingpong import played_frames, played_indices
from providers.lipsync._wav2lip_boxes import NO_FACE, Boxes, Pads, Places, boxes_of, places_of, tight
from providers.lipsync.wav2lip import Wav2LipProvider

SURVEY_SHARE = 0.3  # of the work


@dataclass(frozen=True)
class Scene:
    """``pictures()`` gives one picture per place of the output, not to be changed; each call decodes anew."""

    pictures: Callable[[], Iterator[Planar]]
    boxes: list[Box | None]
    reasons: list[str]
    width: int
    height: int
    confidence: float | None


@dataclass(frozen=True)
class _Job:
    """What is asked for."""

    face: Path
    count: int
    fps: float
    request: LipSyncRequest
    context: ProviderContext
    options: Wav2LipProvider.Options

    @property
    def long_side(self) -> int:
        return self.request.production.profile.max_long_side


def photo_scene(
    photo: Path, count: int, request: LipSyncRequest, context: ProviderContext, options: Wav2LipProvider.Options
) -> Scene:
    """The same picture ``count`` times."""
    job = _Job(photo, count, request.production.profile.fps, request, context, options)
    still = read_picture(photo, max_long_side=job.long_side)
    height, width = still.shape[:2]
    found, confidence = _boxes_of_photo(job, still)

    def pictures() -> Iterator[Planar]:
        shown = planar(still)
        for _ in range(count):
            yield shown

    return Scene(pictures, list(found.boxes) * count, list(found.reasons) * count, width, height, confidence)


def video_scene(
    video: Path,
    count: int,
    fps: float,
    request: LipSyncRequest,
    context: ProviderContext,
    options: Wav2LipProvider.Options,
) -> Scene:
    """The video's frames at a constant rate: cut to ``count``, or played on when they are fewer."""
    job = _Job(video, count, fps, request, context, options)
    first = next(read_frames(video, fps=fps, max_long_side=job.long_side)).bgr
    height, width = first.shape[:2]
    found, confidence = _boxes_of_video(job, width, height)
    played = list(_played(len(found.boxes), job))
    boxes, reasons = [found.boxes[source] for source in played], [found.reasons[source] for source in played]
    return Scene(lambda: _pictures(job), boxes, reasons, width, height, confidence)


def _played(source_count: int, job: _Job) -> Iterator[int]:
    """The source frame at each place of the output."""
    if job.options.loop == "restart":
        return (place % source_count for place in range(job.count))
    return played_indices(source_count, job.count)


def _pictures(job: _Job) -> Iterator[Planar]:
    """One per place of the output; a video that turns out to be too short is read again from there."""

    def shown() -> Iterator[Planar]:
        for frame in read_planar_frames(job.face, fps=job.fps, max_long_side=job.long_side):
            yield frame.picture

    source_count = 0
    for picture in islice(shown(), job.count):
        source_count += 1
        yield picture
    if source_count == job.count:
        return
    if job.options.loop == "restart":
        yield from islice(_again_and_again(shown), job.count - source_count)
        return
    played = played_frames(shown(), source_count, job.count, job.context.temp_dir)
    for _, picture in islice(played, source_count, None):
        yield picture


def _again_and_again(pictures: Callable[[], Iterator[Planar]]) -> Iterator[Planar]:
    while True:
        yield from pictures()


def _boxes_of_photo(job: _Job, still: Image) -> tuple[Boxes, float | None]:
    faces, models = job.options.faces, job.context.models or {}
    height, width = still.shape[:2]
    placed = placed_boxes(faces, models, (width, height))
    if placed is not None:
        return _boxes_at(placed, 1, job.fps, width, height), None
    face = choose_face(detector(faces, models)(still), job.request.speaker, faces.choose, (width, height))
    if face is None:
        return Boxes((None,), (NO_FACE,)), None
    return _boxes(Places((0,), tight(face)[None], width, height, face.confidence), job), face.confidence


def _boxes_of_video(job: _Job, width: int, height: int) -> tuple[Boxes, float | None]:
    """One per source frame, as many as are shown; of a single box as many as places."""
    faces, models = job.options.faces, job.context.models or {}
    placed = placed_boxes(faces, models, (width, height))
    if placed is not None:
        count = job.count if len(placed.boxes) == 1 else _source_count(job)
        return _boxes_at(placed, count, job.fps, width, height), None
    seconds = job.count / job.fps

    def on_second(done: float) -> None:
        job.context.progress(SURVEY_SHARE * min(1.0, done / seconds), 1.0, "following the face")

    track = face_track(
        job.request.video_stub,
        job.context.artifacts,
        faces,
        models,
        speaker=job.request.speaker,
        seconds=seconds,
        on_second=on_second,
    )
    places = places_of(islice(tracks_at(track, job.fps, width), job.count), width, height)
    return _boxes(places, job), places.confidence


def _source_count(job: _Job) -> int:
    frames = read_planar_frames(job.face, fps=job.fps, max_long_side=job.long_side)
    return sum(1 for _ in islice(frames, job.count))


def _boxes(places: Places, job: _Job) -> Boxes:
    options = job.options
    pads = Pads(options.pad_top_px, options.pad_bottom_px, options.pad_left_px, options.pad_right_px)
    return boxes_of(places, pads, smooth=options.smooth_boxes)


def _boxes_at(track: BoxTrack, count: int, fps: float, width: int, height: int) -> Boxes:
    """As they were placed, in pixels of this picture: no pads and no smoothing."""
    scale = np.array([width / track.width, height / track.height] * 2)
    boxes = [box_at(track, place / fps) for place in range(count)]
    corners = [(np.nan,) * 4 if box is None else (box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    shots = tuple(-1 if box is None else 0 for box in boxes)
    return boxes_of(Places(shots, np.array(corners) * scale, width, height, None), Pads(0, 0, 0, 0), smooth=False)


def missing_face(reasons: list[str]) -> str:
    """The commonest reason."""
    found = [reason for reason in reasons if reason]
    return max(found, key=found.count) if found else NO_FACE
