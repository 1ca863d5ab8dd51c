"""Faces that somebody placed, one box or a file of boxes, as a track like those that were followed.

Not here: reading the file (``face_detectors``).
"""

import math

from contracts.artifacts import Box
from contracts.faces import BoxTrack, FaceSeen, FaceTrack, Similarity
from providers._media.faces import BROWS_TO_CHIN, Face

EVERY_SECONDS = 0.2  # how often a placed face counts as seen: whoever works on it looks at the picture there
_STILL: Similarity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def face_of(box: Box) -> Face:
    """The face whose brows and chin the box touches."""
    left, top, right, _ = BROWS_TO_CHIN
    side = max(1, round(box.width / (right - left)))
    square = Box(x=round(box.x - left * side), y=round(box.y - top * side), width=side, height=side)
    return Face(square, 0.0, 1.0)


def box_at(track: BoxTrack, seconds: float) -> Box | None:
    """The box that holds then; None where no face is."""
    held = None
    for at in track.boxes:
        if at.start_seconds > seconds + 1e-6:
            break
        held = at.box
    return held


def placed_track(track: BoxTrack, detector: str, seconds: float) -> FaceTrack:
    """``seconds`` of it. Boxes that follow each other without a gap are one shot."""
    times = _times(track, seconds)
    shots: list[int] = []
    transforms: list[Similarity | None] = []
    seen: list[FaceSeen] = []
    shot, first = -1, None
    for place, time_seconds in enumerate(times):
        box = box_at(track, time_seconds)
        if box is None:
            first = None
        elif first is None:
            shot, first = shot + 1, box
        shots.append(-1 if box is None else shot)
        transforms.append(None if box is None or first is None else from_to(first, box))
        face = None if box is None else face_of(box)
        seen.append(FaceSeen(frame=place, box=face.box if face else None, confidence=face.confidence if face else 0.0))
    return FaceTrack(
        width=track.width,
        height=track.height,
        detector=detector,
        is_whole=False,
        times_seconds=times,
        end_seconds=seconds,
        shots=tuple(shots),
        transforms=tuple(transforms),
        agreements=tuple(0.0 if shot < 0 else 1.0 for shot in shots),
        seen=tuple(seen),
    )


def _times(track: BoxTrack, seconds: float) -> tuple[float, ...]:
    steps = (step * EVERY_SECONDS for step in range(max(1, math.ceil(seconds / EVERY_SECONDS))))
    starts = (at.start_seconds for at in track.boxes if at.start_seconds < seconds)
    return tuple(sorted({round(time_seconds, 6) for time_seconds in (*steps, *starts)}))


def from_to(first: Box, box: Box) -> Similarity:
    """What moves one upright box over another."""
    if box == first:
        return _STILL
    scale = box.width / first.width
    x = box.x + box.width / 2 - scale * (first.x + first.width / 2)
    y = box.y + box.height / 2 - scale * (first.y + first.height / 2)
    return (scale, 0.0, x, 0.0, scale, y)
