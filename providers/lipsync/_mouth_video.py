"""A talking video from a frontal video: follow the face, then give it another mouth."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from contracts.artifacts import VideoInfo
from contracts.context import Progress
from contracts.errors import ProviderRejected
from contracts.faces import FaceTrack
from contracts.lipsync import LipSyncRequest, NoFacePolicy
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.face_tracks import tracks_at
from providers._media.frames import PlanarFrame, read_planar_frames
from providers._media.planar import Planar
from providers.lipsync._mouth_before import BeforeWriter
from providers.lipsync._mouth_compose import MouthComposer
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_pingpong import played_frames, played_indices
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS, Files, NothingToAnimate, Rendered
from providers.lipsync._mouth_shots import Shot, Survey, ranges, survey

LOWEST_FPS = 12.0  # a slower video cannot show speech; it is brought to the profile's rate
HIGHEST_FPS = 120.0
FADE_FRAMES = 3
TRACK_SHARE = 0.25  # of the work: following the face
SURVEY_SHARE = 0.4  # and looking at its mouth


def output_fps(video: VideoInfo, profile: DeliveryProfile) -> float:
    """The video's own rate, made constant."""
    if not LOWEST_FPS <= video.fps <= HIGHEST_FPS:
        return profile.fps
    nearest = round(video.fps)
    return float(nearest) if abs(video.fps - nearest) < 0.01 else round(video.fps, 3)


def render_video(
    video: Path, files: Files, drive: MouthDrive, request: LipSyncRequest, track: FaceTrack, progress: Progress
) -> Rendered:
    """Write ``files``: exactly the sound's length; a longer video is cut, a shorter one goes back and forth.

    Raises:
        NothingToAnimate: no frame can be animated.
        ProviderRejected: the policy is ``fail`` and some frame cannot.
    """
    profile, policy = request.production.profile, request.no_face_policy

    def frames() -> Iterator[PlanarFrame]:
        source = read_planar_frames(video, fps=drive.fps, max_long_side=profile.max_long_side)
        return islice(source, drive.frame_count)

    def watched() -> Iterator[PlanarFrame]:
        for frame in frames():
            share = TRACK_SHARE + (SURVEY_SHARE - TRACK_SHARE) * min(1.0, (frame.index + 1) / drive.frame_count)
            progress(share, 1.0, "looking at the mouth")
            yield frame

    width = next(read_planar_frames(video, max_long_side=profile.max_long_side)).picture.shape[1]
    seen = survey(watched(), tracks_at(track, drive.fps, width))
    played = list(played_indices(seen.frame_count, drive.frame_count))
    reasons = [_reason(seen.reasons[source], float(drive.strengths[place])) for place, source in enumerate(played)]
    _check(reasons, policy, drive.fps)
    painter = _Painter(seen, drive, reasons, hold=policy == "hold_last")
    shown = played_frames((frame.picture for frame in frames()), seen.frame_count, drive.frame_count, files.folder)
    with (
        VideoWriter(files.aligned, width=seen.width, height=seen.height, fps=drive.fps, profile=profile) as writer,
        BeforeWriter(files.before, seen.width, seen.height, drive.fps, profile) as before,
    ):
        for place, (source, picture) in enumerate(shown):
            writer.write_planar(painter.paint(place, source, picture))
            before.write_planar(picture)
            progress(SURVEY_SHARE + (1 - SURVEY_SHARE) * (place + 1) / drive.frame_count, 1.0, "animating the video")
    return Rendered(painter.openings, reasons, seen.confidence)


def _reason(seen: str, strength: float) -> str:
    return OUTSIDE_SEGMENTS if strength == 0 else seen


def _check(reasons: list[str], policy: NoFacePolicy, fps: float) -> None:
    faults = [reason for reason in reasons if reason not in {"", OUTSIDE_SEGMENTS}]
    if faults and policy == "fail":
        first = next(span for span in ranges(reasons) if span.reason != OUTSIDE_SEGMENTS)
        raise ProviderRejected(
            f"expected a face that can be animated in every frame (no_face_policy is 'fail'), but from "
            f"{first.start_frame / fps:.2f} s to {first.end_frame_exclusive / fps:.2f} s {first.reason}"
        )
    if "" not in reasons:
        raise NothingToAnimate(max(set(faults), key=faults.count) if faults else OUTSIDE_SEGMENTS)


class _Painter:
    """Animates frames in the order of the output; holds one shot's rig at a time."""

    def __init__(self, seen: Survey, drive: MouthDrive, reasons: list[str], *, hold: bool) -> None:
        self.openings: list[float] = []
        self._seen = seen
        self._drive = drive
        self._reasons = reasons
        self._hold = hold
        self._held: Planar | None = None
        self._shot: Shot | None = None
        self._composer: MouthComposer | None = None

    def paint(self, place: int, source: int, picture: Planar) -> Planar:
        """The output's frame at ``place``, from the source's frame ``source``."""
        reason = self._reasons[place]
        if reason:
            self.openings.append(0.0)
            return self._held if self._hold and self._held is not None and reason != OUTSIDE_SEGMENTS else picture
        shot = self._shot_at(source)
        frame = picture.copy()
        strength = float(self._drive.strengths[place]) * self._faded(place)
        transform = shot.transforms[source - shot.first_frame]
        self.openings.append(self._composer_of(shot).compose(frame, transform, self._drive.pose(place), strength))
        self._held = frame
        return frame

    def _faded(self, place: int) -> float:
        """Softly in and out beside frames that are left as they are, unless they show a held picture."""
        if self._hold:
            return 1.0
        for distance in range(1, FADE_FRAMES + 1):
            for neighbour in (place - distance, place + distance):
                if 0 <= neighbour < len(self._reasons) and self._reasons[neighbour] not in {"", OUTSIDE_SEGMENTS}:
                    return distance / (FADE_FRAMES + 1)
        return 1.0

    def _shot_at(self, source: int) -> Shot:
        return next(
            shot for shot in self._seen.shots if shot.first_frame <= source < shot.first_frame + len(shot.transforms)
        )

    def _composer_of(self, shot: Shot) -> MouthComposer:
        if self._composer is None or shot is not self._shot:
            self._shot, self._composer = shot, MouthComposer(shot.reference.bgr, shot.reference.mouth)
        return self._composer
