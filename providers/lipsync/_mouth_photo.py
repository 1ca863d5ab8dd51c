"""A talking video from a photo: the mouth speaks, and the rest is alive."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import cv2
import numpy as np

from contracts.context import ModelFile, Progress
from contracts.faces import FaceOptions
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.eye_landmarks import locate_eyes
from providers._media.face_detectors import faces_in_picture
from providers._media.faces import Face, Image, choose_face
from providers._media.frames import read_picture
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers._media.planar import Planar
from providers._media.stages import FRAMES_BETWEEN, WriteBehind, in_order
from providers.lipsync._mouth_before import BeforeWriter, before_size
from providers.lipsync._mouth_compose import paint_region
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_life import LifeOptions, LivingPhoto, life_curves
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS, Files, NothingToAnimate, Rendered
from providers.lipsync._mouth_rig import MouthRig

FRONTAL = 0.9
"""Confidence in the mouth from which the eyes may blink: a lid drawn beside the eye is worse than none."""
PAINTERS = 2
"""Threads: one would leave the second core idle for a third of the time, however the encoder is spread."""


@dataclass(frozen=True)
class Whom:
    """Whose mouth moves, where several faces may be seen."""

    faces: FaceOptions
    models: dict[str, ModelFile]
    speaker: int | None

    def face_in(self, still: Image) -> Face:
        """Raises: NothingToAnimate: it is not there."""
        seen = faces_in_picture(still, self.faces, self.models)
        height, width = still.shape[:2]
        face = choose_face(seen, self.speaker, self.faces.choose, (width, height))
        if face is not None:
            return face
        found = f"only {len(seen)} seen" if seen else "no face is seen"
        raise NothingToAnimate(
            found if self.speaker is None else f"face {self.speaker} from the left was asked for; {found}"
        )


def render_photo(
    picture: Path,
    files: Files,
    drive: MouthDrive,
    profile: DeliveryProfile,
    life: LifeOptions,
    whom: Whom,
    progress: Progress,
) -> Rendered:
    """Write ``files``: exactly the sound's length, long side at most the profile's.

    A photo lives only when all of it is to be animated: outside of chosen stretches it is shown as it came.

    Raises:
        NothingToAnimate: no face, or no mouth that can be trusted.
    """
    still = read_picture(picture, max_long_side=profile.max_long_side)
    face, mouth = _trusted_mouth(still, whom)
    if drive.is_partial:
        life = LifeOptions(sway=False, breathing=False, blinks=False)
    painter = PhotoPainter(still, face, mouth, drive, life)
    openings: list[float] = []
    width, height = painter.size
    is_over = Event()

    def write_before() -> None:
        quiet = painter.without_mouth(before_size(width, height))
        with BeforeWriter(files.before, width, height, drive.fps, profile) as writer:
            for index in range(0, drive.frame_count, writer.every):
                writer.write_planar(quiet.frame(index))
                if is_over.is_set():
                    return

    with ThreadPoolExecutor(1) as beside:
        before = beside.submit(write_before)
        try:
            with (
                closing(in_order(painter.frame, range(drive.frame_count), PAINTERS)) as painted,
                VideoWriter(
                    files.aligned, width=width, height=height, fps=drive.fps, profile=profile, content="still"
                ) as writer,
                WriteBehind(writer.write_planar, FRAMES_BETWEEN) as behind,
            ):
                for index, (frame, opening) in enumerate(painted):
                    behind.put(frame)
                    openings.append(opening)
                    progress(index + 1, drive.frame_count, "animating the photo")
            before.result()
        finally:
            is_over.set()
    reasons = ["" if strength > 0 else OUTSIDE_SEGMENTS for strength in drive.strengths]
    return Rendered(openings, reasons, mouth.confidence)


class PhotoPainter:
    """Frames of one photo, in any order."""

    def __init__(self, still: Image, face: Face, mouth: MouthLandmarks, drive: MouthDrive, life: LifeOptions) -> None:
        self._still = still
        self._face = face
        self._drive = drive
        self._eyes = locate_eyes(still, face) if life.blinks and mouth.confidence >= FRONTAL else None
        self._curves = life_curves(still, drive.frame_count, drive.fps, life)
        self._life = LivingPhoto(still, face, self._eyes, self._curves)
        self._rig = MouthRig(still, mouth)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames, both even."""
        height, width = self._still.shape[:2]
        return width + width % 2, height + height % 2

    def frame(self, index: int) -> tuple[Planar, float]:
        """And the opening that is shown, 0..1."""
        picture = self._life.with_lids(index)
        strength = float(self._drive.strengths[index])
        opening = paint_region(picture, self._rig, self._drive.pose(index), strength) if strength > 0 else 0.0
        return self._life.moved(picture, index), opening

    def without_mouth(self, size: tuple[int, int]) -> LivingPhoto:
        """The same photo, as alive, that does not speak; ``size`` (width, height) in proportion."""
        scale = size[0] / self._still.shape[1]
        still = np.asarray(cv2.resize(self._still, size, interpolation=cv2.INTER_AREA), np.uint8)
        eyes = (self._eyes[0].scaled(scale), self._eyes[1].scaled(scale)) if self._eyes else None
        return LivingPhoto(still, self._face.scaled(scale), eyes, self._curves)


def _trusted_mouth(still: Image, whom: Whom) -> tuple[Face, MouthLandmarks]:
    face = whom.face_in(still)
    mouth = locate_mouth(still, face)
    if mouth is None:
        raise NothingToAnimate("the mouth is not found")
    if not mouth.is_sure:
        raise NothingToAnimate(mouth.doubt)
    return face, mouth
