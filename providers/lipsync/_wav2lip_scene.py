"""The pictures of a request in the order of the output, and for each the face's box or why it has none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from contracts.artifacts import Box
from contracts.context import ProviderContext
from contracts.errors import ProviderRejected
from contracts.lipsync import LipSyncRequest
from providers._media.faces import Image, choose_face, find_faces
from providers._media.frames import Frame, read_frames, read_picture
from providers.lipsync._mouth_pingpong import played_frames, played_indices
from providers.lipsync._wav2lip_boxes import NO_FACE, Boxes, BoxTracker, FaceTrack, Pads, boxes_of, tight
from providers.lipsync.wav2lip import Wav2LipProvider

SURVEY_SHARE = 0.3  # of the work


@dataclass(frozen=True)
class Scene:
    """``pictures()`` gives one picture per place of the output, not to be changed; each decodes anew."""

    pictures: Callable[[], Iterator[Image]]
    boxes: list[Box | None]
    reasons: list[str]
    width: int
    height: int
    confidence: float | None


def photo_scene(photo: Path, count: int, request: LipSyncRequest, options: Wav2LipProvider.Options) -> Scene:
    """The same picture ``count`` times."""
    still = read_picture(photo, max_long_side=request.production.profile.max_long_side)
    height, width = still.shape[:2]
    face = None if options.box else choose_face(find_faces(still), request.speaker)
    if face is None:
        track = FaceTrack((-1,), np.full((1, 4), np.nan), width, height, None)
    else:
        track = FaceTrack((0,), tight(face)[None], width, height, face.confidence)
    found = _boxes(track, options)

    def pictures() -> Iterator[Image]:
        for _ in range(count):
            yield still

    return Scene(pictures, list(found.boxes) * count, list(found.reasons) * count, width, height, track.confidence)


def video_scene(
    video: Path,
    count: int,
    fps: float,
    request: LipSyncRequest,
    context: ProviderContext,
    options: Wav2LipProvider.Options,
) -> Scene:
    """The video's frames at a constant rate: cut to ``count``, or played on when they are fewer."""
    long_side = request.production.profile.max_long_side

    def frames() -> Iterator[Frame]:
        return islice(read_frames(video, fps=fps, max_long_side=long_side), count)

    def watched() -> Iterator[Frame]:
        for frame in frames():
            context.progress(SURVEY_SHARE * min(1.0, (frame.index + 1) / count), 1.0, "following the face")
            yield frame

    track = _followed(watched(), None if options.box else BoxTracker(request.speaker))
    found = _boxes(track, options)
    if options.loop == "restart":
        played = [place % track.frame_count for place in range(count)]
    else:
        played = list(played_indices(track.frame_count, count))

    def pictures() -> Iterator[Image]:
        if options.loop == "restart":
            yield from islice(_again_and_again(frames), count)
        else:
            for _, bgr in played_frames(frames(), track.frame_count, count, context.temp_dir):
                yield bgr

    boxes = [found.boxes[source] for source in played]
    reasons = [found.reasons[source] for source in played]
    return Scene(pictures, boxes, reasons, track.width, track.height, track.confidence)


def _again_and_again(frames: Callable[[], Iterator[Frame]]) -> Iterator[Image]:
    while True:
        for frame in frames():
            yield frame.bgr


def _followed(frames: Iterator[Frame], tracker: BoxTracker | None) -> FaceTrack:
    shots: list[int] = []
    corners: list[tuple[float, ...]] = []
    width = height = 0
    for frame in frames:
        height, width = frame.bgr.shape[:2]
        shot, found = tracker.update(frame.bgr) if tracker else (-1, np.full(4, np.nan))
        shots.append(shot)
        corners.append(tuple(found.tolist()))
    confidence = _mean(tracker.confidences) if tracker else None
    return FaceTrack(tuple(shots), np.array(corners, np.float64), width, height, confidence)


def _boxes(track: FaceTrack, options: Wav2LipProvider.Options) -> Boxes:
    """The track's, or the one box that the options fix."""
    box = options.box
    if box is None:
        pads = Pads(options.pad_top_px, options.pad_bottom_px, options.pad_left_px, options.pad_right_px)
        return boxes_of(track, pads, smooth=options.smooth_boxes)
    if box.x < 0 or box.y < 0 or box.x + box.width > track.width or box.y + box.height > track.height:
        raise ProviderRejected(
            f"expected a box inside the picture of {track.width}x{track.height} pixels, got x {box.x}, y {box.y}, "
            f"width {box.width}, height {box.height}; change the option box"
        )
    return Boxes((box,) * track.frame_count, ("",) * track.frame_count)


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def missing_face(reasons: list[str]) -> str:
    """The commonest reason."""
    found = [reason for reason in reasons if reason]
    return max(found, key=found.count) if found else NO_FACE
