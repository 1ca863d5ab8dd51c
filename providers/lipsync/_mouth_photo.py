"""A talking video from a photo."""

from pathlib import Path

from contracts.context import Progress
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.faces import Image, choose_face, find_faces
from providers._media.frames import read_picture
from providers._media.mouth_landmarks import MouthLandmarks, locate_mouth
from providers.lipsync._mouth_compose import paint_region
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS, NothingToAnimate, Rendered
from providers.lipsync._mouth_rig import MouthRig


def render_photo(
    picture: Path,
    target: Path,
    drive: MouthDrive,
    profile: DeliveryProfile,
    speaker: int | None,
    progress: Progress,
) -> Rendered:
    """Write ``target``: exactly the sound's length, long side at most the profile's.

    Raises:
        NothingToAnimate: no face, or no mouth that can be trusted.
    """
    still = read_picture(picture, max_long_side=profile.max_long_side)
    mouth = _trusted_mouth(still, speaker)
    rig = MouthRig(still, mouth)
    openings: list[float] = []
    reasons: list[str] = []
    height, width = still.shape[:2]
    with VideoWriter(target, width=width, height=height, fps=drive.fps, profile=profile) as writer:
        for index in range(drive.frame_count):
            strength = float(drive.strengths[index])
            frame, opening = still, 0.0
            if strength > 0:
                frame = still.copy()
                opening = paint_region(frame, rig, drive.pose(index), strength)
            writer.write(frame)
            openings.append(opening)
            reasons.append("" if strength > 0 else OUTSIDE_SEGMENTS)
            progress(index + 1, drive.frame_count, "animating the photo")
    return Rendered(openings, reasons, mouth.confidence)


def _trusted_mouth(still: Image, speaker: int | None) -> MouthLandmarks:
    faces = find_faces(still)
    face = choose_face(faces, speaker)
    if face is None:
        found = "no face is seen" if not faces else f"only {len(faces)} seen"
        raise NothingToAnimate(found if speaker is None else f"face {speaker} from the left was asked for; {found}")
    mouth = locate_mouth(still, face)
    if mouth is None:
        raise NothingToAnimate("the mouth is not found")
    if not mouth.is_sure:
        raise NothingToAnimate(mouth.doubt)
    return mouth
