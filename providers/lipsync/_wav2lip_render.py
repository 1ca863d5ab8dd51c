"""Faces out of frames, new faces in; decoding, computing and encoding side by side with few frames in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.planar import Planar, paint, region
from providers._media.stages import WriteBehind, in_order, read_ahead
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS
from providers.lipsync._wav2lip_engine import Engine
from providers.lipsync._wav2lip_pictures import blended, cropped, network_input, unchanged_rows, whole
from providers.lipsync._wav2lip_scene import Scene
from providers.lipsync._wav2lip_sound import Voice

FADE_FRAMES = 3
QUEUE_FRAMES = 8
MOST_WAITING = 2  # batches' worth of frames that may wait for a batch to fill

Batch = list[tuple[int, Planar]]  # places of the output and their pictures


@dataclass
class Painter:
    """Gives frames another mouth, a batch at a time.

    ``hold_last``: a frame without a face shows the last animated one.
    """

    scene: Scene
    voice: Voice
    engine: Engine
    is_whole: bool = False
    hold_last: bool = False
    strengths: list[float] = field(init=False)

    def __post_init__(self) -> None:
        fades = _fades(self.scene.reasons) if not self.hold_last else np.ones(len(self.scene.reasons))
        self.strengths = [float(value) for value in self.voice.strengths * fades]

    def painted(self, pictures: Iterable[Planar]) -> Iterator[Planar]:
        """One picture per picture, in order."""
        held: Planar | None = None
        for batch in in_order(self._batch, self._batches(pictures), self.engine.workers):
            for place, picture in batch:
                reason = self.scene.reasons[place]
                if not reason:
                    held = picture
                holds = self.hold_last and reason not in {"", OUTSIDE_SEGMENTS}
                yield held if holds and held is not None else picture

    def _batches(self, pictures: Iterable[Planar]) -> Iterator[Batch]:
        waiting: Batch = []
        animated = 0
        size = self.engine.frames_at_once
        for place, picture in enumerate(pictures):
            waiting.append((place, picture))
            animated += not self.scene.reasons[place]
            if animated >= size or len(waiting) >= MOST_WAITING * size:
                yield waiting
                waiting, animated = [], 0
        if waiting:
            yield waiting

    def _batch(self, batch: Batch) -> Batch:
        """The same frames with new mouths; runs in several threads at once."""
        boxed = [(place, picture, box) for place, picture in batch if (box := self._box(place))]
        if not boxed:
            return batch
        parts = [region(picture, box) for _, picture, box in boxed]
        inputs = np.stack([network_input(cropped(part)) for part in parts])
        faces = self.engine.faces(self.voice.windows([place for place, _, _ in boxed]), inputs)
        made = dict(batch)
        for (place, picture, box), part, face in zip(boxed, parts, faces, strict=True):
            made[place] = self._painted(picture.copy(), box, part, face, self.strengths[place])
        return list(made.items())

    def _painted(
        self, picture: Planar, box: Box, part: npt.NDArray[np.uint8], face: npt.NDArray[np.float32], strength: float
    ) -> Planar:
        if self.is_whole:
            paint(picture, box, whole(part, face))
            return picture
        top = unchanged_rows(box.height)
        lower = Box(x=box.x, y=box.y + top, width=box.width, height=box.height - top)
        paint(picture, lower, blended(part, face, strength))
        return picture

    def _box(self, place: int) -> Box | None:
        return None if self.scene.reasons[place] else self.scene.boxes[place]


def _fades(reasons: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Softly in and out beside frames that are left as they are."""
    distance = np.full(len(reasons), FADE_FRAMES + 1)
    for place, reason in enumerate(reasons):
        if reason not in {"", OUTSIDE_SEGMENTS}:
            for step in range(FADE_FRAMES + 1):
                for near in (place - step, place + step):
                    if 0 <= near < len(reasons):
                        distance[near] = min(distance[near], step)
    return distance / (FADE_FRAMES + 1)


def render(
    scene: Scene,
    painter: Painter,
    target: Path,
    fps: float,
    profile: DeliveryProfile,
    on_frame: Callable[[int], None],
) -> None:
    """Write ``target``; nothing is left of it when something fails."""
    pictures = read_ahead(scene.pictures(), QUEUE_FRAMES)
    try:
        with (
            VideoWriter(target, width=scene.width, height=scene.height, fps=fps, profile=profile) as video,
            WriteBehind(video.write_planar, QUEUE_FRAMES) as writer,
        ):
            for count, picture in enumerate(painter.painted(pictures), start=1):
                writer.put(picture)
                on_frame(count)
    finally:
        pictures.close()
