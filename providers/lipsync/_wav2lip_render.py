"""From pictures, boxes and a voice to a video: decoded, computed and encoded at once, a few frames in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contracts.artifacts import Box
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.faces import Image
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS
from providers.lipsync._wav2lip_engine import Engine
from providers.lipsync._wav2lip_pictures import blend, cropped, network_input, paste_whole
from providers.lipsync._wav2lip_scene import Scene
from providers.lipsync._wav2lip_sound import Voice
from providers.lipsync._wav2lip_stages import WriteBehind, read_ahead

FADE_FRAMES = 3
QUEUE_FRAMES = 8
MOST_WAITING = 4  # batches' worth of frames that may wait for a batch to fill


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
    _held: Image | None = None

    def __post_init__(self) -> None:
        fades = _fades(self.scene.reasons) if not self.hold_last else np.ones(len(self.scene.reasons))
        self.strengths = [float(value) for value in self.voice.strengths * fades]

    def painted(self, pictures: Iterator[Image]) -> Iterator[Image]:
        """One picture per picture, in order."""
        waiting: list[tuple[int, Image]] = []
        animated = 0
        for place, bgr in enumerate(pictures):
            waiting.append((place, bgr))
            animated += not self.scene.reasons[place]
            size = self.engine.frames_at_once
            if animated >= size or len(waiting) >= MOST_WAITING * size:
                yield from self._batch(waiting)
                waiting, animated = [], 0
        if waiting:
            yield from self._batch(waiting)

    def _batch(self, waiting: list[tuple[int, Image]]) -> Iterator[Image]:
        boxed = {place: box for place, _ in waiting if (box := self._box(place))}
        faces = iter(())
        if boxed:
            inputs = np.stack([network_input(cropped(bgr, boxed[place])) for place, bgr in waiting if place in boxed])
            faces = iter(self.engine.faces(self.voice.windows(list(boxed)), inputs))
        for place, bgr in waiting:
            if place in boxed:
                frame = bgr.copy()
                if self.is_whole:
                    paste_whole(frame, boxed[place], next(faces))
                else:
                    blend(frame, boxed[place], next(faces), self.strengths[place])
                self._held = frame
                yield frame
            else:
                holds = self.hold_last and self.scene.reasons[place] != OUTSIDE_SEGMENTS
                yield self._held if holds and self._held is not None else bgr

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
            WriteBehind(video.write, QUEUE_FRAMES) as writer,
        ):
            for count, bgr in enumerate(painter.painted(pictures), start=1):
                writer.put(bgr)
                on_frame(count)
    finally:
        pictures.close()
